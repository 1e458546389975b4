// Level 2: the product's QUIC endpoints with TLS over datagrams in memory, under virtual time.
//
// The simulator's process has no other source of time or chance than its seed: see entropy.cc.
//
// Thread: one, fresh for each seed: GnuTLS keeps a random generator per thread.
#pragma once

#include <cstdint>
#include <memory>

#include "tests/sim/trace.h"
#include "tests/sim/wide_area.h"

namespace godwit::sim {

std::unique_ptr<WideArea> make_quic_network(const Scenario& scenario,
                                            std::uint64_t seed,
                                            Trace& trace);

}  // namespace godwit::sim
