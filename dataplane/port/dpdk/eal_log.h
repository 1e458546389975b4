// DPDK's own log lines, brought into ours; the first complaint is kept for error messages.
//
// Thread: any; a complaint belongs to the thread in which DPDK made it.
#pragma once

#include <string>

namespace godwit::port {

// From now on DPDK writes here. Its errors become warnings of ours (whoever called says what they
// mean), everything else debug lines.
void capture_eal_log();

// This thread's first error or warning since the last call, in one line; or nothing. The first one
// names the cause, those that follow only what became impossible.
std::string take_eal_complaint();

// While it lives, what DPDK complains of in this thread is a debug line: a question whose answer
// may be no.
class QuietEal {
 public:
  QuietEal();
  QuietEal(const QuietEal&) = delete;
  QuietEal& operator=(const QuietEal&) = delete;
  ~QuietEal();
};

}  // namespace godwit::port
