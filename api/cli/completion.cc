#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/cli/commands.h"

namespace godwit::cli {
namespace {

constexpr std::string_view kBash = R"sh(_godwit() {
  local IFS=$'\n'
  COMPREPLY=($(godwit __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [[ ${#COMPREPLY[@]} == 0 ]]; then
    COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -F _godwit godwit
)sh";

constexpr std::string_view kZsh = R"sh(#compdef godwit
_godwit() {
  local -a found
  found=(${(f)"$(godwit __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( ${#found} )); then compadd -a found; else _files; fi
}
compdef _godwit godwit
)sh";

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) {
      return command;
    }
  }
  return nullptr;
}

// Long names of an app's options, and of those it inherits.
void add_options(const CLI::App* app, std::vector<std::string>& out) {
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        out.push_back("--" + name);
      }
    }
  }
}

}  // namespace

std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  const std::string typed = words.empty() ? "" : words.back();
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (const CLI::App* next = find_command(*at, words[i])) {
      at = next;
    }
  }
  std::vector<std::string> all;
  if (typed.starts_with('-')) {
    add_options(at, all);
  } else {
    for (const CLI::App* command : at->get_subcommands([](const CLI::App*) { return true; })) {
      all.push_back(command->get_name());
    }
  }
  std::erase_if(all, [&](const std::string& word) { return !word.starts_with(typed); });
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void add_completion(CLI::App& app, Dispatch& dispatch) {
  auto* command = app.add_subcommand("completion", "A script that completes commands in the shell");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->footer("In bash:  source <(godwit completion bash)");
  command->callback(
      [&dispatch, shell] { dispatch.session.out() << (*shell == "bash" ? kBash : kZsh); });
}

}  // namespace godwit::cli
