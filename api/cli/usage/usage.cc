#include "api/cli/usage/usage.h"

#include <algorithm>
#include <charconv>
#include <optional>
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

// The first word that no command took.
std::optional<std::string> unknown_word(const CLI::App& app) {
  const auto words = app.remaining(true);
  const auto at = std::find_if(words.begin(), words.end(), [](std::string_view word) {
    return !word.empty() && word.front() != '-';
  });
  return at == words.end() ? std::nullopt : std::optional(*at);
}

}  // namespace

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error) {
  std::string path;
  const CLI::App& command = innermost(app, path);
  std::string problem = error.what();
  const auto commands = command.get_subcommands([](const CLI::App*) { return true; });
  const bool is_about_command = error.get_name() == "RequiredError" || error.get_exit_code() == 0;
  if (is_about_command && !commands.empty()) {
    const auto unknown = unknown_word(app);
    std::vector<std::string> names;
    names.reserve(commands.size());
    for (const CLI::App* one : commands) {
      names.push_back(one->get_name());
    }
    problem = fmt::format(
        "{}; {} has: {}",
        unknown ? fmt::format("\"{}\" is no command", *unknown) : "a command is missing",
        path,
        fmt::join(names, ", "));
  }
  return fmt::format("{}; `{} --help` says more", problem, path);
}

bool is_question(const CLI::App& app, const CLI::ParseError& error) {
  return error.get_exit_code() == 0 && !unknown_word(app);
}

CLI::Validator number_between(double least, double most) {
  const auto check = [least, most](const std::string& text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data(), end, value);
    // Not-a-number is in no range.
    const bool is_good = failed == std::errc() && stop == end && value >= least && value <= most;
    return is_good ? std::string()
                   : fmt::format("\"{}\" is no number from {} to {}", text, least, most);
  };
  return {check, fmt::format("{} to {}", least, most)};
}

CLI::Validator not_empty() {
  return {[](const std::string& text) {
            return text.empty() ? std::string("must not be empty") : std::string();
          },
          ""};
}

}  // namespace godwit::cli
