// What is wrong with a command line, in one sentence that says what is allowed.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace godwit::cli {

// `error` is what app.parse() threw. A missing or unknown command is named with all that there are.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error);

}  // namespace godwit::cli
