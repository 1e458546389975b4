// godwit-wan: the command line of the WAN emulator; see README.md.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "api/cli/usage/usage.h"
#include "bench/wan/control_socket.h"
#include "bench/wan/emulator.h"
#include "bench/wan/enter.h"
#include "bench/wan/presets.h"
#include "bench/wan/quantities.h"
#include "bench/wan/selftest.h"

namespace godwit::wan {
namespace {

using Json = nlohmann::ordered_json;

enum ExitStatus : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2
};

int complain(const Error& error) {
  std::fprintf(stderr, "godwit-wan: %s\n", error.message.c_str());
  return error.code == Code::kInvalid || error.code == Code::kNotFound ? kUsage : kFailed;
}

int print_presets(bool json) {
  Json list = Json::array();
  for (const Preset& preset : presets()) {
    const bool uniform = preset.shape == PresetShape::kUniform;
    const bool drawn = preset.shape == PresetShape::kDrawn;
    const std::string name = std::string(preset.name) + (drawn ? ":SEED" : "");
    if (json) {
      list.push_back({{"name", name},
                      {"rate_mbit", uniform ? Json(preset.rate_mbit) : Json(nullptr)},
                      {"rtt_ms", uniform ? Json(preset.rtt_ms) : Json(nullptr)},
                      {"sites", Json(preset.regions)},
                      {"sites_max", preset.regions.empty() ? kSitesMax : preset.regions.size()},
                      {"summary", preset.summary},
                      {"source", preset.source}});
      continue;
    }
    const std::string figures =
        uniform ? fmt::format("{} Mbit/s, {} ms round trip", preset.rate_mbit, preset.rtt_ms)
        : preset.regions.empty() ? std::string("any number of sites")
                                 : fmt::format("{}", fmt::join(preset.regions, " "));
    std::printf("%-12s %-36s %s\n%-49s source: %s\n",
                name.c_str(),
                figures.c_str(),
                std::string(preset.summary).c_str(),
                "",
                std::string(preset.source).c_str());
  }
  if (json) {
    std::printf("%s\n", list.dump().c_str());
  }
  return kDone;
}

// One "name=value" of `ctl set` into the request.
Result<bool> add_setting(std::string_view word, Json& request) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  const auto put = [&request](const char* key, const auto& parsed, auto convert) -> Result<bool> {
    if (!parsed) {
      return tl::unexpected(parsed.error());
    }
    request[key] = convert(*parsed);
    return true;
  };
  if (name == "rate") {
    return put("rate_mbit", parse_rate(value), [](BitRate rate) {
      return rate.is_unlimited() ? Json(nullptr)
                                 : Json(static_cast<double>(rate.bits_per_second()) / 1e6);
    });
  }
  if (name == "delay") {
    return put("delay_ms", parse_delay(value), [](Duration d) {
      return static_cast<double>(d.count_ns()) / 1e6;
    });
  }
  if (name == "loss") {
    return put("loss", parse_loss(value), [](double loss) { return loss; });
  }
  if (name == "queue") {
    return put("queue_bytes", parse_queue(value), [](Bytes bytes) { return bytes.count(); });
  }
  return fail(Code::kInvalid, "'{}'; allowed: rate=…, delay=…, loss=…, queue=…", word);
}

Result<Json> request_of(const std::vector<std::string>& words, bool one_way) {
  const std::string& op = words.front();
  Json request = Json::object({{"op", op}});
  if (op == "cut" || op == "heal" || op == "set") {
    if (words.size() < 3 || (op != "set" && words.size() > 3)) {
      return fail(Code::kInvalid, "{} needs two sites", op);
    }
    request["from"] = words[1];
    request["to"] = words[2];
    if (one_way) {
      request["one_way"] = true;
    }
    for (std::size_t i = 3; i < words.size(); ++i) {
      if (const auto added = add_setting(words[i], request); !added) {
        return tl::unexpected(added.error());
      }
    }
    return request;
  }
  if (op == "preset") {
    const bool unlimited = words.size() == 3 && words[2] == "unlimited";
    if (words.size() != 2 && !unlimited) {
      return fail(Code::kInvalid, "preset needs a NAME, and may have 'unlimited' after it");
    }
    request["name"] = words[1];
    request["unlimited"] = unlimited;
    return request;
  }
  if (words.size() != 1) {
    return fail(Code::kInvalid, "{} takes nothing more", op);
  }
  return request;
}

int control(const std::string& socket, const std::vector<std::string>& words, bool one_way) {
  const auto request = request_of(words, one_way);
  if (!request) {
    return complain(request.error());
  }
  const auto reply = ask(socket, request->dump());
  if (!reply) {
    return complain(reply.error());
  }
  std::printf("%s\n", reply->c_str());
  const Json answer = Json::parse(*reply, nullptr, false);
  return answer.is_object() && answer.value("ok", false) ? kDone : kUsage;
}

struct Arguments {
  RunOptions run;
  std::vector<std::string> site_names;
  std::string uplink = "none";
  std::string downlink = "none";
  bool presets_json = false;
  std::string socket;
  std::vector<std::string> words;
  bool one_way = false;
  std::string site;
  SelftestOptions selftest;
  std::vector<std::string> command;  // after "--"
};

int run_emulator(Arguments& a) {
  const auto uplink = parse_shared_line(a.uplink);
  const auto downlink = parse_shared_line(a.downlink);
  if (!uplink || !downlink) {
    return complain(!uplink ? uplink.error() : downlink.error());
  }
  a.run.request.uplink = *uplink;
  a.run.request.downlink = *downlink;
  a.run.request.names = a.site_names;
  if (a.run.request.sites == 0) {
    a.run.request.sites = a.site_names.size();
  }
  a.run.command = a.command;
  const auto status = run(a.run);
  return status ? *status : complain(status.error());
}

CLI::App* add_run(CLI::App& app, Arguments& a) {
  auto* run = app.add_subcommand("run", "Run a WAN until SIGTERM, or until COMMAND after -- ends");
  run->add_option("--wan", a.run.request.preset, "Preset, see `godwit-wan presets`")->required();
  run->add_option("--sites", a.run.request.sites, "How many; default: as many as --site");
  run->add_option("--site", a.site_names, "Name of a site, in order; a region name chooses it")
      ->expected(1)
      ->take_all();
  run->add_option("--socket", a.run.socket, "Path of the control socket")->required();
  run->add_option("--dir", a.run.directory, "Also write ready.json into this directory");
  run->add_option("--uplink", a.uplink, "Line shared by a site's pairs: none, max, sum or a rate");
  run->add_option("--downlink", a.downlink, "The same for what arrives");
  run->add_option("--seed", a.run.seed, "Seed of the losses")->check(CLI::NonNegativeNumber);
  run->add_flag("--unlimited", a.run.request.unlimited, "Delays only: no rate, no loss");
  run->add_flag("--unprivileged", a.run.unprivileged, "Make a user namespace; needs no root");
  run->add_flag("--may-sleep",
                a.run.may_sleep,
                "Let idle processors sleep: deliveries come late "
                "on virtual machines, and it costs less power");
  run->add_flag("--die-with-parent", a.run.die_with_parent, "End when the parent process ends");
  return run;
}

int main_of(int argc, char** argv) {
  Arguments a;
  int own = argc;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--") {
      own = i;
      a.command.assign(argv + i + 1, argv + argc);
      break;
    }
  }
  CLI::App app{"A WAN on one machine: one network namespace per site, any traffic", "godwit-wan"};
  app.require_subcommand(1);
  const auto* run = add_run(app, a);
  auto* list = app.add_subcommand("presets", "List the presets and their sources");
  list->add_flag("--json", a.presets_json, "As JSON");
  auto* ctl = app.add_subcommand(
      "ctl", "sites | stats | links | reset | cut A B | heal A B | set A B rate=… | preset NAME");
  ctl->add_option("socket", a.socket, "Path of the control socket")->required();
  ctl->add_option("request", a.words, "The request")->required();
  ctl->add_flag("--one-way", a.one_way, "Only from A to B");
  auto* exec = app.add_subcommand("exec", "Run COMMAND after -- inside a site");
  exec->add_option("socket", a.socket, "Path of the control socket")->required();
  exec->add_option("site", a.site, "Name of the site")->required();
  auto* test = app.add_subcommand("selftest", "Check rates and delays with ping and iperf3");
  test->add_flag("--json", a.selftest.json, "As JSON");
  test->add_flag("--quick", a.selftest.quick, "Two cases, half a minute");
  test->add_flag("--unprivileged", a.selftest.unprivileged, "Make a user namespace");
  try {
    app.parse(own, argv);
  } catch (const CLI::ParseError& error) {
    if (cli::is_question(app, error)) {
      app.exit(error);
      return kDone;
    }
    return complain(Error{Code::kInvalid, cli::usage_problem(app, error)});
  }
  if (*run) {
    return run_emulator(a);
  }
  if (*list) {
    return print_presets(a.presets_json);
  }
  if (*ctl) {
    return control(a.socket, a.words, a.one_way);
  }
  if (*exec) {
    if (a.command.empty()) {
      return complain(Error{Code::kInvalid, "exec needs a command after --"});
    }
    return complain(execute_in_site(a.socket, a.site, a.command));
  }
  const auto passed = selftest(a.selftest);
  return !passed ? complain(passed.error()) : *passed ? kDone : kFailed;
}

}  // namespace
}  // namespace godwit::wan

int main(int argc, char** argv) {
  return godwit::wan::main_of(argc, argv);
}
