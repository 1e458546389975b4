// Where control messages are made and read, one at a time, in memory that is used again.
//
// Protobuf allocates each part of a message; from an arena over a block of our own it does not, as
// long as the message fits there. What fits not is freed with the next message.
//
// Thread: the worker. Memory: one block.
#pragma once

#include <array>
#include <cstddef>

#include <google/protobuf/arena.h>

#include "api/proto/control.pb.h"

namespace godwit::gateway {

class ControlScratch {
 public:
  ControlScratch() = default;
  ControlScratch(const ControlScratch&) = delete;
  ControlScratch& operator=(const ControlScratch&) = delete;

  // An empty message; the one before is gone.
  control::ControlMessage& fresh() {
    arena_.Reset();
    return *google::protobuf::Arena::CreateMessage<control::ControlMessage>(&arena_);
  }

 private:
  // A receipt with its bitmap takes 0.5 KiB, and the arena's own books 0.3 KiB. Chosen.
  static constexpr std::size_t kBlockBytes = 4096;

  alignas(std::max_align_t) std::array<char, kBlockBytes> block_{};
  google::protobuf::Arena arena_{block_.data(), block_.size()};
};

}  // namespace godwit::gateway
