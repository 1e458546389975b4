#include "api/cli/session.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/cli/admin_client.h"
#include "api/cli/json.h"
#include "api/cli/report.h"
#include "api/cli/text.h"
#include "api/gateway/config.h"
#include "dataplane/base/plain.h"

namespace godwit::cli {
namespace {

namespace fs = std::filesystem;

// Sites below the run folder that have a socket, in order of name.
std::vector<std::string> sites_below(const fs::path& folder) {
  std::vector<std::string> sites;
  std::error_code ignored;
  for (fs::directory_iterator it(folder, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    std::error_code unreadable;
    if (fs::is_socket(it->path() / "admin.sock", unreadable)) {
      sites.push_back(it->path().filename().string());
    }
  }
  std::sort(sites.begin(), sites.end());
  return sites;
}

nlohmann::ordered_json as_json(const admin::AdminResponse& response) {
  // The answer itself, without the envelope that says which kind it is; an error keeps its name.
  auto json = to_json(response);
  return response.has_error() ? json : json.begin().value();
}

std::string as_text(const admin::AdminResponse& response) {
  switch (response.kind_case()) {
    case admin::AdminResponse::kStatus:
      return to_text(response.status());
    case admin::AdminResponse::kTopics:
      return to_text(response.topics());
    case admin::AdminResponse::kLinks:
      return to_text(response.links());
    case admin::AdminResponse::kLedger:
      return to_text(response.ledger());
    case admin::AdminResponse::kExplain:
      return to_text(response.explain());
    case admin::AdminResponse::kPeers:
      return to_text(response.peers());
    case admin::AdminResponse::kStop:
      return to_text(response.stop());
    default:
      return "";
  }
}

}  // namespace

ExitCode exit_code_of(const Error& error) {
  switch (error.code) {
    case Code::kTimeout:
      return ExitCode::kTimeout;
    case Code::kInvalid:
      return ExitCode::kUsage;
    default:
      return ExitCode::kNoAnswer;
  }
}

Result<std::string> Session::admin_socket() const {
  if (!options_.admin.empty()) {
    return options_.admin;
  }
  if (!options_.config.empty()) {
    gateway::Overrides overrides;
    if (!options_.site.empty()) {
      overrides.site = options_.site;
    }
    const auto config = gateway::load_config(options_.config, overrides);
    if (!config) {
      return fail(Code::kInvalid, "{}", config.error().message);
    }
    return config->admin;
  }
  const fs::path folder = options_.run_folder;
  if (!options_.site.empty()) {
    return (folder / options_.site / "admin.sock").string();
  }
  const auto sites = sites_below(folder);
  if (sites.size() == 1) {
    return (folder / sites.front() / "admin.sock").string();
  }
  if (sites.empty()) {
    return fail(Code::kNotFound,
                "no gateway has a socket below {}; give --admin PATH or --config FILE",
                folder.string());
  }
  return fail(Code::kInvalid,
              "{} gateways are below {}; say which: --site {}",
              sites.size(),
              folder.string(),
              fmt::join(sites, " | --site "));
}

Result<admin::AdminResponse> Session::ask(const admin::AdminRequest& request) const {
  const auto socket = admin_socket();
  if (!socket) {
    return Failure(socket.error());
  }
  return cli::ask(*socket, request, Duration::seconds(options_.timeout_seconds));
}

ExitCode Session::ask_and_print(const admin::AdminRequest& request) const {
  const auto response = ask(request);
  if (!response) {
    return fail_with(exit_code_of(response.error()), response.error());
  }
  return print(*response);
}

ExitCode Session::print(const admin::AdminResponse& response) const {
  if (options_.json) {
    print_json(as_json(response));
  } else if (response.has_error()) {
    err() << "godwit: " << plain(response.error().text()) << '\n';
  } else {
    out() << as_text(response);
  }
  return verdict(response);
}

void Session::print_json(const nlohmann::ordered_json& value) const {
  constexpr int kCompact = -1;
  out() << value.dump(kCompact, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
        << '\n';
}

ExitCode Session::fail_with(ExitCode code, const Error& error) const {
  if (options_.json) {
    print_json({{"error", {{"code", to_string(error.code)}, {"text", error.message}}}});
  } else {
    err() << "godwit: " << error.message << '\n';
  }
  return code;
}

}  // namespace godwit::cli
