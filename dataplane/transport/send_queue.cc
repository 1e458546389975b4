#include "dataplane/transport/send_queue.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::transport {

bool SendQueue::push(std::span<const std::byte> first, std::span<const std::byte> second) {
  if (end_ - base_ + first.size() + second.size() > limit_) {
    return false;
  }
  for (auto part : {first, second}) {
    while (!part.empty()) {
      if (chunks_.empty() || chunks_.back().size() == chunks_.back().capacity()) {
        chunks_.push_back(pool_.take(std::min(part.size(), BufferPool::kSizes[1])));
      }
      const std::size_t count = chunks_.back().append(part);
      part = part.subspan(count);
      end_ += count;
    }
  }
  return true;
}

std::span<const std::byte> SendQueue::unsent() const {
  std::size_t chunk = sent_chunk_;
  std::size_t at = sent_at_;
  if (chunk < chunks_.size() && at == chunks_[chunk].size()) {
    ++chunk;
    at = 0;
  }
  return chunk < chunks_.size() ? chunks_[chunk].bytes().subspan(at) : std::span<const std::byte>();
}

void SendQueue::mark_sent(std::size_t bytes) {
  while (bytes > 0) {
    GODWIT_ASSERT(sent_chunk_ < chunks_.size());
    if (sent_at_ == chunks_[sent_chunk_].size()) {
      ++sent_chunk_;
      sent_at_ = 0;
      continue;
    }
    const std::size_t count = std::min(bytes, chunks_[sent_chunk_].size() - sent_at_);
    sent_at_ += count;
    sent_ += count;
    bytes -= count;
  }
}

void SendQueue::on_acked_until(std::uint64_t offset) {
  acked_ = std::max(acked_, offset);
  // The chunk in which sending goes on stays, even when all it holds is acknowledged.
  while (sent_chunk_ > 0 && base_ + chunks_.front().size() <= offset) {
    base_ += chunks_.front().size();
    chunks_.pop_front();
    --sent_chunk_;
  }
}

}  // namespace godwit::transport
