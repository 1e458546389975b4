#include "api/local/memory_channel.h"

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace godwit::local {
namespace {

// One end; its doorbell is the other side's function.
class MemoryEnd final : public Channel {
 public:
  MemoryEnd(RingMemory outgoing,
            RingMemory incoming,
            Trust trust,
            const std::function<void()>& wake)
      : Channel(outgoing, incoming, trust), wake_(wake) {}

 private:
  void ring_doorbell() override {
    if (wake_) {
      wake_();
    }
  }

  const std::function<void()>& wake_;
};

}  // namespace

struct MemoryLink::State {
  // So that the bytes are 8-aligned; a ring reads what was written, so they begin as they are.
  using Words = std::unique_ptr<std::uint64_t[]>;
  static Words words(std::size_t bytes) {
    return std::make_unique_for_overwrite<std::uint64_t[]>(bytes / sizeof(std::uint64_t));
  }
  static std::span<std::byte> bytes(const Words& words, std::size_t count) {
    return std::as_writable_bytes(std::span(words.get(), count / sizeof(std::uint64_t)));
  }

  explicit State(MemoryLinkOptions given)
      : options(std::move(given)),
        to_gateway(words(options.to_gateway_bytes)),
        to_client(words(options.to_client_bytes)),
        gateway(client_ring(), gateway_ring(), Trust::kHostilePeer, options.wake_client),
        client(gateway_ring(), client_ring(), Trust::kTrustedPeer, options.wake_gateway) {}

  RingMemory gateway_ring() {
    return {&to_gateway_control, bytes(to_gateway, options.to_gateway_bytes)};
  }
  RingMemory client_ring() {
    return {&to_client_control, bytes(to_client, options.to_client_bytes)};
  }

  MemoryLinkOptions options;
  RingControl to_gateway_control{};
  RingControl to_client_control{};
  Words to_gateway;
  Words to_client;
  MemoryEnd gateway;
  MemoryEnd client;
};

MemoryLink::MemoryLink(MemoryLinkOptions options)
    : state_(std::make_unique<State>(std::move(options))) {}

MemoryLink::~MemoryLink() = default;

Channel& MemoryLink::gateway_end() {
  return state_->gateway;
}

Channel& MemoryLink::client_end() {
  return state_->client;
}

RingMemory MemoryLink::to_gateway_memory() {
  return state_->gateway_ring();
}

RingMemory MemoryLink::to_client_memory() {
  return state_->client_ring();
}

}  // namespace godwit::local
