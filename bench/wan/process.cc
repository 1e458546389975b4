#include "bench/wan/process.h"

#include <array>
#include <csignal>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench/wan/command.h"

namespace godwit::wan {

Result<Process> Process::start(const std::vector<std::string>& arguments,
                               ErrorOutput error_output) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_failure("pipe");
  }
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  auto pointers = argument_pointers(arguments);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return system_failure("fork");
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::dup2(write_end.get(), STDOUT_FILENO);
    if (error_output == ErrorOutput::kDiscarded) {
      ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    }
    ::execvp(pointers.front(), pointers.data());
    ::_exit(127);
  }
  return Process(pid, std::move(read_end));
}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    wait();
  }
}

Result<std::string> Process::read_line() {
  std::string line;
  for (char c = 0; ::read(output_.get(), &c, 1) == 1;) {
    if (c == '\n') {
      return line;
    }
    line += c;
  }
  return fail(Code::kClosed, "the program has ended");
}

std::string Process::read_all() {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(output_.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

int Process::wait() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return shell_status(status);
}

}  // namespace godwit::wan
