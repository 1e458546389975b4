// What every command needs: where to ask, and how to say the answer.
//
// Which gateway: `--admin PATH`; or `--config FILE`, with `--site NAME` for another site of that
// file; or the socket of `--site` below the run folder; or the only one there.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "api/cli/cli.h"
#include "api/cli/exit_code.h"
#include "api/proto/admin.pb.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::cli {

// Options that may stand before or after any command.
struct Options {
  std::string admin;                       // path of the admin socket
  std::string config;                      // path of a configuration file
  std::string site;                        // name
  std::string run_folder = "/run/godwit";  // holds SITE/admin.sock
  bool json = false;
  double timeout_seconds = 5;  // for one answer; chosen: a busy gateway answers within a turn
};

class Session {
 public:
  Session(const Options& options, Streams streams) : options_(options), streams_(streams) {}

  const Options& options() const { return options_; }
  std::ostream& out() const { return streams_.out; }
  std::ostream& err() const { return streams_.err; }
  bool shows_progress() const { return streams_.err_is_terminal; }

  // The socket that the options mean. Errors say which sockets there are.
  Result<std::string> admin_socket() const;

  Result<admin::AdminResponse> ask(const admin::AdminRequest& request) const;

  // Asks, prints the answer and returns the verdict on it.
  ExitCode ask_and_print(const admin::AdminRequest& request) const;
  ExitCode print(const admin::AdminResponse& response) const;

  // Prints an object as one line of JSON.
  void print_json(const nlohmann::ordered_json& value) const;

  // Says what went wrong in the form that was asked for.
  ExitCode fail_with(ExitCode code, const Error& error) const;

 private:
  const Options& options_;
  Streams streams_;
};

// The exit status for a question that got no answer.
ExitCode exit_code_of(const Error& error);

}  // namespace godwit::cli
