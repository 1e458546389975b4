// Anything that a peer with a good certificate may say, to a real gateway.
//
// The input is a row of messages: a byte (0 control message, 1 transfer, 2 the session ends, 3 a
// turn, 4 the peer reads no longer), for the first two a length (u16, little endian) and the bytes.
// The gateway has a topic with a lane to the peer and its own pending changes. Whatever comes, it
// lives, its books balance, what it keeps is bounded, and a message that broke a rule ended the
// session.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"
#include "tests/api/gateway/one_gateway.h"

namespace {

// Of announcements: nothing that the gateway does not understand, and not more than it may.
void check_kept(const godwit::gateway::Peer& peer) {
  GODWIT_ASSERT(peer.announced.size() <= godwit::gateway::Exchange::kAnnouncedMax);
  GODWIT_ASSERT(!peer.overrun(), "its session ends");
  for (const auto& [id, kept] : peer.announced) {
    GODWIT_ASSERT(kept.name().size() <= 255 && kept.allowed_sites_size() <= 64);
    for (const std::string& site : kept.allowed_sites()) {
      GODWIT_ASSERT(!site.empty() && site.size() <= 63);
    }
    GODWIT_ASSERT(kept.ByteSizeLong() < 8 * 1024, "64 sites, a name and some numbers");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using godwit::gateway::OneGateway;
  using godwit::gateway::ScriptedSession;
  godwit::log::set_level(godwit::log::Level::kError);
  OneGateway gateway("b");
  const auto handle = gateway.declare("wire/v1", 70'000);
  gateway.publish(handle, 100, {1, -2, 3});
  ScriptedSession* session = &gateway.established("a");
  std::string_view rest(static_cast<const char*>(static_cast<const void*>(data)), size);
  for (int messages = 0; !rest.empty() && messages < 64; ++messages) {
    const char kind = rest.front();
    rest.remove_prefix(1);
    if (kind > 1) {
      if (kind == 2) {
        session->end(godwit::transport::CloseReason::kSilent, "cut");
        gateway.turn(1);
        session = &gateway.established("a");
      } else if (kind == 4) {
        session->stop_reading();
      }
      gateway.turn(1);
      continue;
    }
    if (rest.size() < 2) {
      break;
    }
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(rest[0])) |
                        (static_cast<std::size_t>(static_cast<std::uint8_t>(rest[1])) << 8U);
    rest.remove_prefix(2);
    const std::string_view message = rest.substr(0, length);
    rest.remove_prefix(message.size());
    if (message.empty()) {
      continue;  // the transport hands over no empty messages
    }
    kind == 0 ? session->control(message) : session->transfer(message);
    gateway.turn(1);
    check_kept(gateway.peer("a"));
    if (session->retired) {
      session = &gateway.established("a");
    }
  }
  gateway.turn(2);
  auto& ledger = gateway.topic("wire/v1").ledger();
  ledger.audit(1U << 20U);
  GODWIT_ASSERT(ledger.conservation().defects == 0, "the books balance");
  return 0;
}
