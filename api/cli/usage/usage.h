// What is wrong with a command line, in one sentence that says what is allowed.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace godwit::cli {

// `error` is what app.parse() threw. A missing or unknown command is named with all that there are.
std::string usage_problem(const CLI::App& app, const CLI::ParseError& error);

// Whether `error` asks for help or the version, and all other words were understood.
bool is_question(const CLI::App& app, const CLI::ParseError& error);

// Checks of an option's value: a finite number from `least` to `most`; a text that is not empty.
CLI::Validator number_between(double least, double most);
CLI::Validator not_empty();

}  // namespace godwit::cli
