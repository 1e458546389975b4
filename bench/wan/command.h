// A command that is started beside the emulator: forked before the emulator changes its own
// namespaces, executed when the sites are there.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "bench/wan/os.h"
#include "dataplane/base/result.h"

namespace godwit::wan {

class Command {
 public:
  // The child waits for `start`; it ends when this process ends.
  static Result<Command> fork(const std::vector<std::string>& arguments);

  // Executes it with these variables added to its environment.
  Result<bool> start(const std::vector<std::pair<std::string, std::string>>& environment);

  void signal(int number) const;

  // Its exit status (128 + signal if one ended it) once it has ended; does not wait.
  std::optional<int> exit_status();

 private:
  Command(pid_t pid, Descriptor gate) : pid_(pid), gate_(std::move(gate)) {}

  pid_t pid_ = -1;
  Descriptor gate_;
};

// The status as a shell counts it.
int shell_status(int wait_status);

// `arguments` as execvp takes them; valid while they live.
std::vector<char*> argument_pointers(const std::vector<std::string>& arguments);

}  // namespace godwit::wan
