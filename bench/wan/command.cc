#include "bench/wan/command.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace godwit::wan {

namespace {

// Reads "name=value" strings, each ended by a zero byte, until the gate is closed. An empty text
// means that the emulator failed before it could start the command.
[[noreturn]] void wait_and_execute(int gate, const std::vector<std::string>& arguments) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(gate, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (text.empty()) {
    ::_exit(1);
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::string variable = text.c_str() + begin;
    begin += variable.size() + 1;
    const std::size_t equals = variable.find('=');
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the child has one thread.
    ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
  }
  ::execvp(arguments.front().c_str(), argument_pointers(arguments).data());
  std::fprintf(stderr,
               "godwit-wan: cannot run %s: %s\n",
               arguments.front().c_str(),
               error_text(errno).c_str());
  ::_exit(127);
}

}  // namespace

int shell_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

std::vector<char*> argument_pointers(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

Result<Command> Command::fork(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_failure("pipe");
  }
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return system_failure("fork");
  }
  if (pid == 0) {
    write_end = Descriptor();
    wait_and_execute(read_end.get(), arguments);
  }
  return Command(pid, std::move(write_end));
}

Result<bool> Command::start(const std::vector<std::pair<std::string, std::string>>& environment) {
  std::string text;
  for (const auto& [name, value] : environment) {
    text += name;
    text += '=';
    text += value;
    text += '\0';
  }
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t written = ::write(gate_.get(), text.data() + sent, text.size() - sent);
    if (written < 0) {
      return system_failure("starting the command");
    }
    sent += static_cast<std::size_t>(written);
  }
  gate_ = Descriptor();
  return true;
}

void Command::signal(int number) const {
  if (pid_ > 0) {
    ::kill(pid_, number);
  }
}

std::optional<int> Command::exit_status() {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) {
    return std::nullopt;
  }
  pid_ = -1;
  return shell_status(status);
}

}  // namespace godwit::wan
