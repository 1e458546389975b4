// Child processes of the self-test: a program's output, and a program in the background.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "bench/wan/os.h"
#include "dataplane/base/result.h"

namespace godwit::wan {

enum class ErrorOutput : std::uint8_t {
  kShared,     // the same as this process's
  kDiscarded,  // for a program that complains about being stopped
};

// A program whose standard output is read here; it gets SIGTERM, and is waited for, when this
// object ends, and when this process ends.
class Process {
 public:
  static Result<Process> start(const std::vector<std::string>& arguments,
                               ErrorOutput error_output = ErrorOutput::kShared);

  Process(Process&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)) {}
  Process& operator=(Process&&) = delete;
  ~Process();

  // The next line without its end; a failure at the end of the output.
  Result<std::string> read_line();
  std::string read_all();

  // Waits for the end; the status as a shell counts it.
  int wait();

 private:
  Process(pid_t pid, Descriptor output) : pid_(pid), output_(std::move(output)) {}

  pid_t pid_ = -1;
  Descriptor output_;
};

}  // namespace godwit::wan
