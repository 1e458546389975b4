#include "api/cli/usage/usage.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace godwit::cli {
namespace {

// The innermost command that was understood; `path` gets the words that lead to it.
const CLI::App& innermost(const CLI::App& app, std::string& path) {
  path += (path.empty() ? "" : " ") + app.get_name();
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : innermost(*parsed.back(), path);
}

}  // namespace

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error) {
  std::string path;
  const CLI::App& command = innermost(app, path);
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
