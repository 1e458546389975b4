#include "bench/wan/enter.h"

#include <array>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sched.h>

#include "bench/wan/command.h"
#include "bench/wan/control_socket.h"
#include "bench/wan/os.h"

namespace godwit::wan {

namespace {

std::string link_target(const std::string& path) {
  std::array<char, 256> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  return {target.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

// Both namespaces are opened before either is entered: inside the user namespace the paths may
// mean something else.
Result<bool> enter(const std::string& process, const std::string& netns) {
  const std::string user = process + "/ns/user";
  const bool other_user = link_target(user) != link_target("/proc/self/ns/user");
  const Descriptor network(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  if (!network.valid()) {
    return system_failure(netns);
  }
  if (other_user) {
    const Descriptor user_namespace(::open(user.c_str(), O_RDONLY | O_CLOEXEC));
    if (!user_namespace.valid() || ::setns(user_namespace.get(), CLONE_NEWUSER) != 0) {
      return system_failure("entering the emulator's user namespace");
    }
  }
  if (::setns(network.get(), CLONE_NEWNET) != 0) {
    return system_failure("entering the site's network namespace");
  }
  return true;
}

}  // namespace

Error execute_in_site(const std::string& socket,
                      std::string_view site,
                      const std::vector<std::string>& command) {
  const auto reply = ask(socket, R"({"op":"sites"})");
  if (!reply) {
    return reply.error();
  }
  const auto ready = nlohmann::json::parse(*reply, nullptr, false);
  if (!ready.is_object() || !ready.contains("sites")) {
    return Error{Code::kCorrupt, "the answer of the emulator is not understood"};
  }
  std::string names;
  for (const auto& one : ready["sites"]) {
    const auto name = one.value("name", "");
    names += names.empty() ? name : ", " + name;
    if (name != site) {
      continue;
    }
    const std::string process = "/proc/" + std::to_string(ready.value("pid", 0));
    if (const auto entered = enter(process, one.value("netns", "")); !entered) {
      return entered.error();
    }
    ::execvp(command.front().c_str(), argument_pointers(command).data());
    return system_failure(command.front()).value();
  }
  return Error{Code::kNotFound, fmt::format("no site '{}'; there are: {}", site, names)};
}

}  // namespace godwit::wan
