// The commands, each added to the command line by one function.
//
// A command leaves its exit status in `Dispatch::result` when it is chosen.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "api/cli/exit_code.h"
#include "api/cli/session.h"

namespace godwit::cli {

struct Dispatch {
  const Session& session;
  ExitCode result = ExitCode::kOk;
};

void add_status(CLI::App& app, Dispatch& dispatch);      // status
void add_questions(CLI::App& app, Dispatch& dispatch);   // topic link ledger peer explain stop
void add_config(CLI::App& app, Dispatch& dispatch);      // config check
void add_cert(CLI::App& app, Dispatch& dispatch);        // cert init, issue, show
void add_lab(CLI::App& app, Dispatch& dispatch);         // lab init, up, down, status
void add_bench(CLI::App& app, Dispatch& dispatch);       // bench codec
void add_completion(CLI::App& app, Dispatch& dispatch);  // completion bash, zsh

// What may come next after `words`; the last word is the one being typed. For the shell.
std::vector<std::string> completions(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace godwit::cli
