// Datagrams from a known address that nobody of ours made, or that were changed on the way.
//
// The input is a script of steps on two sites that are shaking hands or already connected:
//   0x00-0x3f  time passes (its value in quarter milliseconds), both sides take turns
//   0x40-0x7f  the next bytes, up to 4 × (value & 0x3f) of them, are one datagram
//   0x80-0xff  the last true datagram is sent again with a bit flipped, or cut short
// Whatever the script: nothing crashes, and what arrives is what was sent.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/log.h"
#include "dataplane/port/with/decorator.h"
#include "tests/dataplane/transport/world.h"

namespace godwit::transport::testing {
namespace {

constexpr std::size_t kStepsMax = 64;

// A port that remembers the last datagram that passed through it.
class Recorder final : public port::Decorator {
 public:
  using Decorator::Decorator;
  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    for (const port::Train& train : trains) {
      const auto first =
          train.bytes.first(std::min<std::size_t>(train.segment_bytes, train.bytes.size()));
      last.assign(first.begin(), first.end());
    }
    return Decorator::transmit(now, trains);
  }

  std::vector<std::byte> last;
};

void send_raw(World& world, port::Port& port, const port::Peer& to, std::vector<std::byte> bytes) {
  if (bytes.empty()) {
    return;
  }
  const port::Train train{.peer = to,
                          .segment_bytes = static_cast<std::uint16_t>(bytes.size()),
                          .bytes = bytes,
                          .ecn = 0};
  port.transmit(world.now(), {&train, 1});
}

void play(std::span<const std::byte> script) {
  World world(1);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  a.endpoint.reset();
  auto recorder = std::make_unique<Recorder>(std::move(a.port));
  Recorder& recorded = *recorder;
  a.port = std::move(recorder);
  a.endpoint = make_quic_endpoint(*a.port, *a.tls, {}, *a.random);
  world.join(a, b, {.delay = Duration::ms(1)});
  Session* session = world.dial(a, b);
  const std::vector<std::byte> transfer(3000, std::byte{0x5a});
  bool is_sent = false;
  ByteReader reader(script);
  for (std::size_t step = 0; step < kStepsMax && reader.remaining() > 0; ++step) {
    const std::uint8_t what = reader.u8();
    if (what < 0x40) {
      world.run(Duration::us(250 * what));
      if (!is_sent && a.seen[0]->is_established && !a.seen[0]->is_closed) {
        session->send_transfer(world.now(), transfer);
        is_sent = true;
      }
    } else if (what < 0x80) {
      const std::size_t count = std::min<std::size_t>(4U * (what & 0x3fU), reader.remaining());
      const auto bytes = reader.bytes(count);
      send_raw(world, recorded, b.address, {bytes.begin(), bytes.end()});
    } else if (!recorded.last.empty()) {
      std::vector<std::byte> bytes = recorded.last;
      const std::size_t at = ((what & 0x7fU) * 256U + reader.u8()) % bytes.size();
      const std::uint8_t change = reader.u8();
      bytes[at] ^= static_cast<std::byte>(change);
      if (change == 0) {
        bytes.resize(at);
      }
      send_raw(world, recorded, b.address, std::move(bytes));
    }
  }
  world.run(Duration::ms(50));
  for (const auto& seen : b.seen) {
    for (const auto& received : seen->transfers) {
      GODWIT_ASSERT(received == transfer, "a changed datagram changed a transfer");
    }
    GODWIT_ASSERT(seen->control.empty());
  }
}

}  // namespace
}  // namespace godwit::transport::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  godwit::log::set_level(godwit::log::Level::kOff);
  godwit::transport::testing::play(std::as_bytes(std::span(data, size)));
  return 0;
}
