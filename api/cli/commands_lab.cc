#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/cli/admin_client.h"
#include "api/cli/commands.h"
#include "api/cli/json.h"
#include "api/cli/lab.h"
#include "api/cli/report.h"
#include "api/cli/text.h"
#include "dataplane/base/system_time.h"

namespace godwit::cli {
namespace {

struct LabFlags {
  bool names_plan = false;  // one of --sites, --cap, --port is given
  std::string folder = "godwit-lab";
  LabPlan plan;
};

ExitCode say(const Session& session,
             const Lab& lab,
             const char* what,
             const std::vector<std::string>& sites) {
  if (session.options().json) {
    session.print_json({{"folder", lab.folder().string()}, {what, sites}});
  } else {
    session.out() << fmt::format(
        "{}: {}\n", what, sites.empty() ? "none" : fmt::format("{}", fmt::join(sites, " ")));
  }
  return ExitCode::kOk;
}

ExitCode init(const Session& session, const LabFlags& flags) {
  const Lab lab(flags.folder);
  if (auto made = lab.init(flags.plan); !made) {
    return session.fail_with(ExitCode::kUsage, made.error());
  }
  const auto sites = lab.sites();
  if (!sites) {
    return session.fail_with(ExitCode::kUsage, sites.error());
  }
  return say(session, lab, "sites", *sites);
}

// Until every site answers: a gateway that cannot start says why in its log and ends.
Result<void> wait_until_ready(const Session& session, const Lab& lab) {
  const auto sites = lab.sites();
  if (!sites) {
    return Failure(sites.error());
  }
  const Instant deadline = system_now() + Duration::seconds(session.options().timeout_seconds);
  admin::AdminRequest request;
  request.mutable_status();
  for (const std::string& site : *sites) {
    while (!ask(lab.admin_socket(site), request, Duration::ms(500))) {
      if (!lab.runs(site)) {
        return fail(Code::kClosed, "{}: its gateway has ended: {}", site, lab.last_words(site));
      }
      if (system_now() >= deadline) {
        return fail(Code::kTimeout, "{}: its gateway runs but does not answer", site);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  return {};
}

ExitCode up(const Session& session, const LabFlags& flags) {
  const Lab lab(flags.folder);
  if (!lab.exists()) {
    if (auto made = lab.init(flags.plan); !made) {
      return session.fail_with(ExitCode::kUsage, made.error());
    }
  } else if (flags.names_plan) {
    return session.fail_with(
        ExitCode::kUsage,
        Error{Code::kInvalid,
              fmt::format("{0} is there already, and --sites, --cap and --port are for a new lab; "
                          "change {0}/godwit.toml, or take another folder",
                          lab.folder().string())});
  }
  const auto started = lab.start();
  if (!started) {
    return session.fail_with(ExitCode::kNoAnswer, started.error());
  }
  if (auto ready = wait_until_ready(session, lab); !ready) {
    return session.fail_with(exit_code_of(ready.error()), ready.error());
  }
  const ExitCode code = say(session, lab, "started", *started);
  if (!session.options().json) {
    session.out() << fmt::format(
        "  godwit lab status {0}\n"
        "  godwit status --run-folder {0} --site {1}\n"
        "  godwit lab down {0}\n",
        lab.folder().string(),
        started->empty() ? "SITE" : started->front());
  }
  return code;
}

ExitCode down(const Session& session, const LabFlags& flags) {
  const Lab lab(flags.folder);
  const auto ended = lab.stop();
  if (!ended) {
    return session.fail_with(ExitCode::kUsage, ended.error());
  }
  return say(session, lab, "ended", *ended);
}

// One line per site; the worst site decides the exit status.
ExitCode status(const Session& session, const LabFlags& flags) {
  const Lab lab(flags.folder);
  const auto sites = lab.sites();
  if (!sites) {
    return session.fail_with(ExitCode::kUsage, sites.error());
  }
  admin::AdminRequest request;
  request.mutable_status();
  Table table({"SITE", "STATE", "LINKS UP", "TOPICS", "DEFECT", "FIRST PROBLEM"});
  auto json = nlohmann::ordered_json::object();
  bool healthy = true;
  for (const std::string& site : *sites) {
    const auto response =
        ask(lab.admin_socket(site), request, Duration::seconds(session.options().timeout_seconds));
    if (!response || !response->has_status()) {
      const std::string why = response ? response->error().text() : response.error().message;
      table.add({site, lab.runs(site) ? "NO ANSWER" : "NOT RUNNING", "-", "-", "-", why});
      json[site] = nullptr;
      healthy = false;
      continue;
    }
    const auto& report = response->status();
    const auto links_up =
        std::count_if(report.links().begin(), report.links().end(), [](const auto& link) {
          return link.state() == admin::LinkReport::STATE_UP;
        });
    const bool well = verdict(*response) == ExitCode::kOk;
    table.add({site,
               well ? "healthy" : "UNHEALTHY",
               fmt::format("{} of {}", links_up, report.links_size()),
               std::to_string(report.topics_size()),
               std::to_string(report.defect()),
               report.problems().empty() ? "" : report.problems(0).text()});
    json[site] = to_json(report);
    healthy = healthy && well;
  }
  if (session.options().json) {
    session.print_json(json);
  } else {
    session.out() << table.text();
  }
  return healthy ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void add_lab(CLI::App& app, Dispatch& dispatch) {
  auto* lab = app.add_subcommand("lab", "Several gateways on this host, to try things out");
  lab->require_subcommand(1);
  const auto flags = std::make_shared<LabFlags>();
  const auto add = [&](const char* name, const char* help, auto action, bool plans) {
    auto* command = lab->add_subcommand(name, help);
    command->add_option("folder", flags->folder, "The lab's folder")->capture_default_str();
    if (plans) {
      command->add_option("--sites", flags->plan.sites, "How many")
          ->check(CLI::Range(std::size_t{2}, kLabSitesMax))
          ->capture_default_str();
      command->add_option("--cap", flags->plan.cap, "Rate of every link, such as 20Mbit/s")
          ->capture_default_str();
      command->add_option("--port", flags->plan.first_port, "First of the UDP ports on loopback")
          ->check(CLI::Range(1024, 65'000))
          ->capture_default_str();
    }
    command->callback([&dispatch, flags, action, command] {
      for (const char* planned : {"--sites", "--cap", "--port"}) {
        const CLI::Option* option = command->get_option_no_throw(planned);
        flags->names_plan = flags->names_plan || (option != nullptr && option->count() > 0);
      }
      dispatch.result = action(dispatch.session, *flags);
    });
  };
  add("init", "Make certificates and a configuration for all sites", init, true);
  add("up", "Start the gateways; makes the lab first if it is not there", up, true);
  add("down", "End them; their state stays in the folder", down, false);
  add("status", "One line per site; exit 10 unless all are healthy", status, false);
}

}  // namespace godwit::cli
