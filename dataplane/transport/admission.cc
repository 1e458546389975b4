#include "dataplane/transport/admission.h"

namespace godwit::transport {

Admission::Verdict Admission::judge(Instant now,
                                    const port::Peer& source,
                                    HalfOpen open,
                                    bool is_proven) {
  Source& state = sources_[source];
  if (is_proven) {
    const bool has_place =
        open.all < limits_.handshakes_max && open.of_source < limits_.handshakes_per_source_max;
    return has_place && state.proven.take(now) ? Verdict::kAccept : Verdict::kDrop;
  }
  const bool has_place =
      open.all < limits_.unproven_max && open.of_source < limits_.unproven_per_source_max;
  if (has_place && state.unproven.take(now)) {
    return Verdict::kAccept;
  }
  return may_answer(now, source) ? Verdict::kRetry : Verdict::kDrop;
}

bool Admission::may_check_token(Instant now, const port::Peer& source) {
  return sources_[source].checks.take(now) && checks_.take(now);
}

bool Admission::may_answer(Instant now, const port::Peer& source) {
  return sources_[source].answers.take(now) && answers_.take(now);
}

}  // namespace godwit::transport
