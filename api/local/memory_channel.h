// A channel inside one process, for tests and for the simulator: no socket, no descriptor.
//
// The link owns the memory of both rings and both ends. Either end may be given up at any time
// (a crash); what is in the rings stays readable by the other end.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "api/local/channel.h"

namespace godwit::local {

struct MemoryLinkOptions {
  std::size_t to_gateway_bytes = 1 << 20;  // powers of two
  std::size_t to_client_bytes = 1 << 20;
  std::function<void()> wake_gateway = {};  // the client rang; may be empty
  std::function<void()> wake_client = {};   // the gateway rang; may be empty
};

class MemoryLink {
 public:
  explicit MemoryLink(MemoryLinkOptions options = {});
  ~MemoryLink();
  MemoryLink(const MemoryLink&) = delete;
  MemoryLink& operator=(const MemoryLink&) = delete;

  Channel& gateway_end();
  Channel& client_end();

  // The raw memory of the rings, for tests that play a hostile peer.
  RingMemory to_gateway_memory();
  RingMemory to_client_memory();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::local
