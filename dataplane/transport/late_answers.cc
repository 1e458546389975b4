#include "dataplane/transport/late_answers.h"

namespace godwit::transport {

void LateAnswers::on_given_up(Instant now,
                              Instant began,
                              const port::Peer& peer,
                              std::span<const ConnectionId> ids) {
  std::erase_if(dials_, [now](const auto& entry) { return entry.second.began + kKept < now; });
  for (const ConnectionId& id : ids) {
    if (dials_.size() < kDialsMax) {
      dials_.emplace(id, Dial{.peer = peer, .began = began});
    }
  }
}

LateAnswers::Kind LateAnswers::on_packet(Instant now,
                                         const port::Peer& from,
                                         const ConnectionId& id) {
  const auto found = dials_.find(id);
  if (found == dials_.end() || found->second.peer != from) {
    return Kind::kNone;
  }
  Dial& dial = found->second;
  const Duration took = now - dial.began;
  if (dial.is_answered || took > kRttMax) {
    return Kind::kAgain;
  }
  dial.is_answered = true;
  return round_trips_.insert_or_assign(from, took).second ? Kind::kFirst : Kind::kAgain;
}

Duration LateAnswers::round_trip(const port::Peer& peer) const {
  const auto found = round_trips_.find(peer);
  return found != round_trips_.end() ? found->second : Duration::zero();
}

}  // namespace godwit::transport
