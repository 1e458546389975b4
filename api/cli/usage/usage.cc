#include "api/cli/usage/usage.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace godwit::cli {
namespace {

// The innermost command that was understood.
const CLI::App& innermost(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : innermost(*parsed.back());
}

}  // namespace

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = innermost(app);
  const std::string path =
      &command == &app ? app.get_name() : fmt::format("{} {}", app.get_name(), command.get_name());
  std::string problem = error.what();
  const auto commands = command.get_subcommands([](const CLI::App*) { return true; });
  if (error.get_name() == "RequiredError" && !commands.empty()) {
    const auto words = app.remaining(true);
    const auto unknown = std::find_if(words.begin(), words.end(), [](std::string_view word) {
      return !word.empty() && word.front() != '-';
    });
    std::vector<std::string> names;
    for (const CLI::App* one : commands) {
      names.push_back(one->get_name());
    }
    problem = fmt::format("{}; {} has: {}",
                          unknown == words.end() ? "a command is missing"
                                                 : fmt::format("\"{}\" is no command", *unknown),
                          path,
                          fmt::join(names, ", "));
  }
  return fmt::format("{}; `{} --help` says more", problem, path);
}

}  // namespace godwit::cli
