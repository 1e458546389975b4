// The command `godwit`: one command line in, text or JSON and an exit status out.
//
// Everything goes through the two streams, so that tests read what people read.
//
// Thread: one. Time: real; commands block until they have an answer or give up.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "api/cli/exit_code.h"

namespace godwit::cli {

struct Streams {
  std::ostream& out;             // answers
  std::ostream& err;             // what went wrong, and progress
  bool err_is_terminal = false;  // progress is shown on one alone
};

// `arguments` without the program's name.
ExitCode run(const std::vector<std::string>& arguments, Streams streams);

}  // namespace godwit::cli
