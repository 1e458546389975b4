#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "api/cli/commands.h"
#include "api/cli/usage/usage.h"
#include "dataplane/base/plain.h"
#include "dataplane/base/system_time.h"

namespace godwit::cli {
namespace {

struct StatusFlags {
  bool watch = false;
  double wait_seconds = 0;
};

// How often --wait and --watch ask; chosen: a link is dialled again within a second.
constexpr auto kPollEvery = std::chrono::milliseconds(500);
constexpr double kSecondsMax = 86'400;  // of --wait and --drain; chosen: a day

ExitCode status_once(const Session& session) {
  admin::AdminRequest request;
  request.mutable_status();
  return session.ask_and_print(request);
}

// Asks until the gateway is healthy, then prints; at the deadline prints what is wrong.
ExitCode wait_until_healthy(const Session& session, double seconds) {
  const Instant deadline = system_now() + Duration::seconds(seconds);
  admin::AdminRequest request;
  request.mutable_status();
  while (true) {
    const auto response = session.ask(request);
    const bool healthy = response && response->has_status() &&
                         response->status().problems().empty() && response->status().defect() == 0;
    if (healthy) {
      return session.print(*response);
    }
    if (system_now() >= deadline) {
      if (response) {
        session.print(*response);
      } else {
        session.fail_with(ExitCode::kTimeout, response.error());
      }
      return ExitCode::kTimeout;
    }
    std::this_thread::sleep_for(kPollEvery);
  }
}

ExitCode watch(const Session& session) {
  while (session.out().good()) {
    if (!session.options().json) {
      session.out() << "\033[H\033[2J";  // home, clear the screen
    }
    const ExitCode code = status_once(session);
    session.out().flush();
    if (code != ExitCode::kOk && code != ExitCode::kUnhealthy) {
      return code;
    }
    std::this_thread::sleep_for(2 * kPollEvery);
  }
  return ExitCode::kOk;
}

// A question about all, or about the one that is named.
template <class Set>
CLI::App* add_question(CLI::App& app,
                       Dispatch& dispatch,
                       const char* name,
                       const char* help,
                       const char* argument,
                       const char* argument_help,
                       Set set) {
  auto* command = app.add_subcommand(name, help);
  const auto which = std::make_shared<std::string>();
  command->add_option(argument, *which, argument_help);
  command->callback([&dispatch, which, set] {
    admin::AdminRequest request;
    set(request, *which);
    dispatch.result = dispatch.session.ask_and_print(request);
  });
  return command;
}

}  // namespace

void add_status(CLI::App& app, Dispatch& dispatch) {
  auto* command = app.add_subcommand("status", "One screen, problems first; exit 10 if unhealthy");
  const auto flags = std::make_shared<StatusFlags>();
  auto* watching = command->add_flag("--watch", flags->watch, "Ask again every second");
  command->add_option("--wait", flags->wait_seconds, "Wait so many seconds for health, or exit 11")
      ->check(number_between(0, kSecondsMax))
      ->excludes(watching);
  command->callback([&dispatch, flags] {
    if (flags->watch) {
      dispatch.result = watch(dispatch.session);
    } else if (flags->wait_seconds > 0) {
      dispatch.result = wait_until_healthy(dispatch.session, flags->wait_seconds);
    } else {
      dispatch.result = status_once(dispatch.session);
    }
  });
}

void add_questions(CLI::App& app, Dispatch& dispatch) {
  add_question(app,
               dispatch,
               "topic",
               "Topics: memory and its bound, lanes, clocks",
               "name",
               "Only this topic",
               [](admin::AdminRequest& request, const std::string& which) {
                 request.mutable_topics()->set_name(which);
               });
  add_question(app,
               dispatch,
               "link",
               "Links: state, rates, what limits them; exit 10 if one is down",
               "peer",
               "Only links to this site",
               [](admin::AdminRequest& request, const std::string& which) {
                 request.mutable_links()->set_peer(which);
               });
  add_question(app,
               dispatch,
               "ledger",
               "Conservation: checksums, masses; exit 10 on a defect",
               "topic",
               "Only this topic",
               [](admin::AdminRequest& request, const std::string& which) {
                 request.mutable_ledger()->set_topic(which);
               });
  add_question(app,
               dispatch,
               "peer",
               "Other sites: certificate, version; exit 10 if one is missing",
               "site",
               "Only this site",
               [](admin::AdminRequest& request, const std::string& which) {
                 request.mutable_peers()->set_site(which);
               });
  add_question(app,
               dispatch,
               "explain",
               "Why a topic stands where it stands, lane by lane",
               "topic",
               "The topic",
               [](admin::AdminRequest& request, const std::string& which) {
                 request.mutable_explain()->set_topic(which);
               })
      ->get_option("topic")
      ->required();

  auto* stop = app.add_subcommand("stop", "Ask the gateway to stop; nothing is lost");
  const auto drain_seconds = std::make_shared<double>(0);
  stop->add_option("--drain", *drain_seconds, "Go on sending open changes for so many seconds")
      ->check(number_between(0, kSecondsMax));
  stop->callback([&dispatch, drain_seconds] {
    admin::AdminRequest request;
    request.mutable_stop()->set_drain_ns(
        static_cast<std::uint64_t>(Duration::seconds(*drain_seconds).count_ns()));
    dispatch.result = dispatch.session.ask_and_print(request);
  });
}

}  // namespace godwit::cli
