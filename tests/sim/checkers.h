// What must hold, judged from outside: by the clients' own logs and by reading sums.
//
// Thread: the run's. Each function reports to Simulator::violation and changes nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace godwit::sim {

class Simulator;

// The ledgers of one living site: no defect, no more memory than its sites and clients account for,
// no topic that is forbidden there. Cheap: reads no sums. `settled`: no client comes or goes any
// more.
void check_ledgers(Simulator& simulator, std::size_t site, bool settled);

// Client `client` was told that every site has reached `clock` and that it holds their changes:
// its sum must hold at least what everybody published up to it. (Values are not negative then.)
void check_clock(Simulator& simulator, std::size_t client, std::uint64_t clock);

// Empty when everybody is alive and connected, and every lane is open and drained.
std::string why_unfinished(Simulator& simulator);
// Empty when besides sites and subscribers hold the same sums.
std::string why_unsettled(Simulator& simulator);

// The end: every site's sum is, bit by bit, what the clients' logs add up to, every safe publish
// in it once, every unknown one wholly or not at all; subscribers hold the same but their own.
void check_end(Simulator& simulator);

}  // namespace godwit::sim
