#include "api/cli/cli.h"

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "api/cli/commands.h"
#include "api/cli/session.h"
#include "api/cli/usage/usage.h"

namespace godwit::cli {
namespace {

constexpr const char* kFooter = R"(
exit: 0 ok, 1 could not ask, 2 command line or configuration is wrong, 10 unhealthy, 11 timeout

  godwit status                     what is wrong, and what to type next
  godwit status --wait 30           until everything is well, at most 30 s
  godwit --site sin explain model/w why a topic stands where it stands
  godwit config check godwit.toml   before a gateway reads it
  godwit bench codec update.npy     what the codecs make of a tensor)";

void add_options(CLI::App& app, Options& options) {
  app.add_option("--admin", options.admin, "Path of the gateway's admin socket")
      ->check(not_empty())
      ->envname("GODWIT_ADMIN");
  app.add_option("--config", options.config, "Configuration file that names the socket")
      ->check(not_empty());
  app.add_option("--site", options.site, "Which gateway, when several run on this host")
      ->check(not_empty());
  app.add_option("--run-folder", options.run_folder, "Folder that holds SITE/admin.sock")
      ->check(not_empty())
      ->envname("GODWIT_RUN_FOLDER")
      ->capture_default_str();
  app.add_flag("--json", options.json, "Answer as one line of JSON");
  app.add_option("--timeout", options.timeout_seconds, "Seconds to wait for one answer")
      ->check(number_between(0.01, 3600))
      ->capture_default_str();
}

}  // namespace

ExitCode run(const std::vector<std::string>& arguments, Streams streams) {
  Options options;
  const Session session(options, streams);
  Dispatch dispatch{.session = session};
  CLI::App app("Ask and run Godwit gateways.", "godwit");
  app.footer(kFooter);
  app.fallthrough();  // the options below may also follow a command
  app.require_subcommand(1);
  app.set_version_flag("--version", "godwit 0.1.0");
  add_options(app, options);
  add_status(app, dispatch);
  add_questions(app, dispatch);
  add_config(app, dispatch);
  add_cert(app, dispatch);
  add_lab(app, dispatch);
  add_bench(app, dispatch);
  add_completion(app, dispatch);
  // Half-typed words are no command line, so the shell's question goes past the parser.
  if (!arguments.empty() && arguments.front() == "__complete") {
    const auto typed = arguments.begin() + (arguments.size() > 1 && arguments[1] == "--" ? 2 : 1);
    for (const std::string& word : completions(app, {typed, arguments.end()})) {
      streams.out << word << '\n';
    }
    return ExitCode::kOk;
  }
  try {
    // CLI11 takes the words from the back.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    if (is_question(app, error)) {
      app.exit(error, streams.out, streams.err);
      return ExitCode::kOk;
    }
    // What the parser gave up on may not have come to the flag.
    options.json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
    return session.fail_with(ExitCode::kUsage, {Code::kInvalid, usage_problem(app, error)});
  }
  return dispatch.result;
}

}  // namespace godwit::cli
