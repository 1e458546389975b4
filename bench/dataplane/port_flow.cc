#include "bench/dataplane/port_flow.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "bench/dataplane/arrivals.h"
#include "dataplane/base/system_time.h"

namespace godwit::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kDatagramBytes = 1'472;  // what IPv4 leaves of a packet of 1,500 bytes
constexpr std::size_t kBurst = 32;
// Chosen: a quarter of a packet socket's ring, so that nothing is lost to a burst.
constexpr std::uint64_t kWindow = 1'024;
// So long without a word from the receiver, what is on its way counts as lost.
constexpr Duration kSilence = Duration::ms(20);
constexpr Duration kWaitMax = Duration::ms(1);

std::uint64_t number_in(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof number));
  return number;
}

// The numbers that this end was told, one for each datagram; calls `use` with each.
template <class Use>
std::size_t receive(port::Port& port, Instant now, const Use& use) {
  std::array<port::Train, kBurst> trains;
  const std::size_t count = port.receive(now, trains);
  for (const port::Train& train : std::span(trains).first(count)) {
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      use(train,
          train.bytes.subspan(at,
                              std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at)));
    }
  }
  port.release(std::span(trains).first(count));
  return count;
}

Json work(std::uint64_t bytes, Instant began) {
  return {{"bytes", bytes}, {"processor_s", (system_thread_time() - began).to_seconds()}};
}

}  // namespace

Result<Json> send_datagrams(const port::PortOptions& own, const port::Peer& to, Duration length) {
  auto port = port::make_port(own);
  if (!port) {
    return tl::unexpected(port.error());
  }
  std::vector<std::byte> bytes(kBurst * kDatagramBytes, std::byte{7});
  std::array<port::Train, kBurst> trains;
  for (std::size_t index = 0; index < kBurst; ++index) {
    trains[index] = {.peer = to,
                     .segment_bytes = kDatagramBytes,
                     .bytes = std::span(bytes).subspan(index * kDatagramBytes, kDatagramBytes)};
  }
  std::uint64_t sent = 0;
  std::uint64_t arrived = 0;
  Instant heard_at = system_now();
  const Instant began = system_thread_time();
  const Instant end = heard_at + length;
  for (Instant now = heard_at; now < end; now = system_now()) {
    receive(**port, now, [&](const port::Train&, std::span<const std::byte> datagram) {
      arrived = std::max(arrived, number_in(datagram));
      heard_at = now;
    });
    if (now - heard_at > kSilence) {
      arrived = sent;
      heard_at = now;
    }
    const std::uint64_t room = kWindow - std::min(kWindow, sent - arrived);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(room, kBurst));
    for (std::size_t index = 0; index < count; ++index) {
      const std::uint64_t number = sent + index + 1;
      std::memcpy(trains[index].bytes.data(), &number, sizeof number);
    }
    const std::size_t taken = (*port)->transmit(now, std::span(trains).first(count));
    sent += taken;
    if (taken == 0) {
      (*port)->wait(std::min(kWaitMax, end - now));
    }
  }
  return work(sent * kDatagramBytes, began);
}

Result<Json> receive_datagrams(const port::PortOptions& own, Duration length) {
  auto port = port::make_port(own);
  if (!port) {
    return tl::unexpected(port.error());
  }
  say_ready();
  std::uint64_t count = 0;
  std::uint64_t newest = 0;
  std::array<std::byte, sizeof newest> answer{};
  port::Train told{.peer = {}, .segment_bytes = sizeof newest, .bytes = answer};
  Instant began = system_thread_time();
  const Instant end = system_now() + length;
  for (Instant now = system_now(); now < end; now = system_now()) {
    const std::size_t got =
        receive(**port, now, [&](const port::Train& train, std::span<const std::byte> datagram) {
          began = count == 0 ? system_thread_time() : began;
          ++count;
          newest = std::max(newest, number_in(datagram));
          told.peer = train.peer;
        });
    if (got == 0) {
      (*port)->wait(std::min(kWaitMax, end - now));
      continue;
    }
    std::memcpy(answer.data(), &newest, sizeof newest);
    (*port)->transmit(now, {&told, 1});
  }
  return work(count * kDatagramBytes, began);
}

}  // namespace godwit::bench
