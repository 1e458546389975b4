#include "api/gateway/control_outbox.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::gateway {
namespace {

using control::ControlMessage;

// What the peer made us say, and may make us say again and again.
bool is_answer(const ControlMessage& message) {
  return message.has_lane_open() || message.has_lane_accept() || message.has_refuse();
}

}  // namespace

// A waiting clock that is replaced is released later than it could have been, never earlier.
std::optional<ControlOutbox::Subject> ControlOutbox::cumulative_subject(
    const ControlMessage& message) {
  const auto of = [&](const auto& one) {
    return Subject(message.kind_case(), one.topic(), one.shard());
  };
  switch (message.kind_case()) {
    case ControlMessage::kReceipt:
      return of(message.receipt());
    case ControlMessage::kClock:
      return of(message.clock());
    case ControlMessage::kCoverage:
      return of(message.coverage());
    default:
      return std::nullopt;
  }
}

void ControlOutbox::push(const ControlMessage& message) {
  const auto subject = cumulative_subject(message);
  if (!subject) {
    Opening& last = opening_.emplace_back(Opening{.bytes = message.SerializeAsString()});
    last.cost = is_answer(message) ? sizeof(Opening) + last.bytes.size() : 0;
    answer_bytes_ += last.cost;
    return;
  }
  const auto [at, is_new] = places_.try_emplace(*subject, gone_ + cumulative_.size());
  if (is_new) {
    cumulative_.push_back({*subject, {}});
  }
  Cumulative& place = cumulative_[at->second - gone_];
  place.size = message.ByteSizeLong();
  GODWIT_ASSERT(place.size <= place.room.size(), "a cumulative message is small");
  message.SerializeToArray(place.room.data(), static_cast<int>(place.size));
}

void ControlOutbox::flush(Instant now, BitRate link_rate, transport::Session& session) {
  ready_at_ = Instant::never();
  while (!opening_.empty()) {
    if (!session.send_control(now, as_bytes(opening_.front().bytes))) {
      return;
    }
    answer_bytes_ -= opening_.front().cost;
    opening_.pop_front();
  }
  if (cumulative_.empty()) {
    return;
  }
  policer_.set_link_rate(now, link_rate);
  while (!cumulative_.empty()) {
    const Cumulative& first = cumulative_.front();
    const Bytes cost(first.size + kLengthBytes);
    const Instant ready = policer_.ready_at(now, cost);
    if (ready > now) {
      ready_at_ = ready;
      return;
    }
    if (!session.send_control(now, first.bytes())) {
      return;
    }
    policer_.try_take(now, cost);
    places_.erase(first.subject);
    cumulative_.pop_front();
    ++gone_;
  }
}

void ControlOutbox::clear() {
  opening_.clear();
  answer_bytes_ = 0;
  gone_ += cumulative_.size();
  cumulative_.clear();
  places_.clear();
  ready_at_ = Instant::never();
}

}  // namespace godwit::gateway
