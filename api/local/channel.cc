#include "api/local/channel.h"

#include <cstring>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::local {

Channel::Channel(RingMemory outgoing, RingMemory incoming, Trust trust)
    : outgoing_(outgoing),
      incoming_(incoming),
      body_bytes_max_(local::body_bytes_max(outgoing.bytes.size())) {
  if (trust == Trust::kHostilePeer) {
    copy_ = std::make_unique<std::byte[]>(local::body_bytes_max(incoming.bytes.size()));
  }
}

bool Channel::send(std::uint16_t type,
                   std::span<const std::byte> head,
                   std::span<const std::byte> payload,
                   std::uint16_t flags) {
  if (!reason_.empty() || outgoing_.fault() != RingFault::kNone) {
    return false;
  }
  const auto body = outgoing_.reserve(head.size() + payload.size());
  if (!body) {
    return false;
  }
  if (!head.empty()) {
    std::memcpy(body->data(), head.data(), head.size());
  }
  if (!payload.empty()) {
    std::memcpy(body->data() + head.size(), payload.data(), payload.size());
  }
  if (outgoing_.commit(type, flags)) {
    ring_doorbell();
  }
  return true;
}

std::optional<RecordView> Channel::receive() {
  finish_record();
  if (broken()) {
    return std::nullopt;
  }
  auto record = incoming_.peek();
  if (!record) {
    return std::nullopt;
  }
  holding_ = true;
  if (copy_ == nullptr) {
    return record;
  }
  if (!record->body.empty()) {
    std::memcpy(copy_.get(), record->body.data(), record->body.size());
  }
  record->body = std::span<const std::byte>(copy_.get(), record->body.size());
  finish_record();
  return record;
}

void Channel::finish_record() {
  if (holding_ && incoming_.consume()) {
    ring_doorbell();
  }
  holding_ = false;
}

std::string_view Channel::broken_reason() const {
  if (!reason_.empty()) {
    return reason_;
  }
  const bool incoming_broken = incoming_.fault() != RingFault::kNone;
  return to_string(incoming_broken ? incoming_.fault() : outgoing_.fault());
}

void Channel::break_with(std::string reason) {
  GODWIT_ASSERT(!reason.empty());
  if (!broken()) {
    reason_ = std::move(reason);
  }
}

}  // namespace godwit::local
