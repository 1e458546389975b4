#include "bench/wan/selftest.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/wan/control_socket.h"
#include "bench/wan/presets.h"
#include "bench/wan/process.h"

namespace godwit::wan {

namespace {

using Json = nlohmann::ordered_json;

// 1,448 bytes of payload have 1,476 at layer 3 with UDP, and 1,500 with TCP and its timestamps.
constexpr double kUdpShare = 1448.0 / 1476.0;
constexpr double kTcpShare = 1448.0 / 1500.0;

// UDP is sent this much faster than the link, so that the link is the bottleneck.
constexpr double kOverload = 1.3;

// How long iperf3's server is given to listen again. Chosen.
constexpr std::chrono::milliseconds kServerPause{500};

struct Case {
  double rate_mbit = 0;
  double rtt_ms = 0;
  bool quick = false;
};

// Slow, near, fast and far; the far one is too far for TCP to settle within seconds.
constexpr std::array<Case, 5> kCases{
    {{10, 20, false}, {50, 50, true}, {100, 10, true}, {160, 73, false}, {16.76, 328, false}}};
constexpr double kTcpRttMsMax = 100;

struct Check {
  std::string name;
  std::string unit;
  double set = 0;
  double measured = 0;
  double error = 0;  // of a rate: a share; of a delay: ms
  double limit = 0;
  bool info = false;  // told, not judged

  bool pass() const { return info || std::abs(error) <= limit; }
};

Check rate_check(std::string name, double set, double measured) {
  return {std::move(name), "Mbit/s", set, measured, measured / set - 1, kRateTolerance};
}

Check delay_check(std::string name, double set, double measured) {
  return {std::move(name), "ms", set, measured, measured - set, kDelayToleranceMs};
}

// The emulator as users run it, and programs in its two sites.
class Bench {
 public:
  static Result<Bench> start(const SelftestOptions& options) {
    const std::string socket = "/tmp/godwit-wan-selftest-" + std::to_string(::getpid());
    std::vector<std::string> arguments{"/proc/self/exe",
                                       "run",
                                       "--wan",
                                       std::string(presets().front().name),
                                       "--sites",
                                       "2",
                                       "--socket",
                                       socket,
                                       "--die-with-parent"};
    if (options.unprivileged) {
      arguments.emplace_back("--unprivileged");
    }
    auto emulator = Process::start(arguments);
    if (!emulator) {
      return tl::unexpected(emulator.error());
    }
    const auto line = emulator->read_line();
    if (!line) {
      return fail(Code::kIo, "the emulator did not start (see its message above)");
    }
    Bench bench(std::move(*emulator), socket, Json::parse(*line, nullptr, false));
    auto server = Process::start(bench.in_site(1, {"iperf3", "--server"}), ErrorOutput::kDiscarded);
    if (!server) {
      return tl::unexpected(server.error());
    }
    bench.server_.emplace(std::move(*server));
    return bench;
  }

  Result<Json> ask(const Json& request) const {
    const auto reply = wan::ask(socket_, request.dump());
    if (!reply) {
      return tl::unexpected(reply.error());
    }
    Json answer = Json::parse(*reply, nullptr, false);
    if (!answer.is_object() || !answer.value("ok", false)) {
      return fail(Code::kRefused, "{}", *reply);
    }
    return answer;
  }

  Result<Json> set(double rate_mbit, double rtt_ms, double loss) const {
    return ask(Json::object({{"op", "set"},
                             {"from", ready_["sites"][0]["name"]},
                             {"to", ready_["sites"][1]["name"]},
                             {"rate_mbit", rate_mbit},
                             {"delay_ms", rtt_ms / 2},
                             {"loss", loss}}));
  }

  // The median round trip of 21 pings on an idle link, in ms: one that met another program's turn
  // says nothing of the emulator.
  Result<double> ping() const {
    auto process = Process::start(in_site(0, {"ping", "-n", "-c", "21", "-i", "0.05", address()}));
    if (!process) {
      return tl::unexpected(process.error());
    }
    const std::string text = process->read_all();
    constexpr std::string_view kMark = " time=";
    std::vector<double> times;
    for (std::size_t at = text.find(kMark); at != std::string::npos;
         at = text.find(kMark, at + 1)) {
      times.push_back(std::strtod(text.c_str() + at + kMark.size(), nullptr));
    }
    if (times.empty()) {
      return fail(Code::kIo, "ping (Debian package iputils-ping) said: {}", text);
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
  }

  // What the receiver got of an iperf3 run, in Mbit/s of payload.
  Result<double> iperf(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"iperf3", "--client", address(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    // The server closes its listening socket between two tests.
    std::this_thread::sleep_for(kServerPause);
    auto process = Process::start(in_site(0, arguments));
    if (!process) {
      return tl::unexpected(process.error());
    }
    const std::string text = process->read_all();
    const Json result = Json::parse(text, nullptr, false);
    if (!result.is_object() || !result.contains("end") || !result["end"].contains("sum_received")) {
      return fail(Code::kIo, "iperf3 (Debian package iperf3) said: {}", text.substr(0, 400));
    }
    return result["end"]["sum_received"].value("bits_per_second", 0.0) * 1e-6;
  }

 private:
  Bench(Process emulator, std::string socket, Json ready)
      : emulator_(std::move(emulator)), socket_(std::move(socket)), ready_(std::move(ready)) {}

  std::string address() const { return ready_["sites"][1]["address"].get<std::string>(); }

  std::vector<std::string> in_site(std::size_t site, std::vector<std::string> command) const {
    auto arguments = ready_["sites"][site]["enter"].get<std::vector<std::string>>();
    arguments.insert(arguments.end(), command.begin(), command.end());
    return arguments;
  }

  Process emulator_;
  std::string socket_;
  Json ready_;
  std::optional<Process> server_;
};

std::string label(const Case& c, std::string_view what) {
  return fmt::format("{} at {} Mbit/s, {} ms", what, c.rate_mbit, c.rtt_ms);
}

std::vector<std::string> tcp(std::string_view congestion_control) {
  return {"--time", "6", "--omit", "3", "--congestion", std::string(congestion_control)};
}

Result<bool> run_case(const Bench& bench, const Case& c, std::vector<Check>& checks) {
  const auto done = bench.set(c.rate_mbit, c.rtt_ms, 0);
  const auto rtt = done ? bench.ping() : tl::unexpected(done.error());
  if (!rtt) {
    return tl::unexpected(rtt.error());
  }
  checks.push_back(delay_check(label(c, "ping"), c.rtt_ms, *rtt));
  const auto udp = bench.iperf({"--udp",
                                "--length",
                                "1448",
                                "--time",
                                "5",
                                "--omit",
                                "1",
                                "--bitrate",
                                fmt::format("{:.3f}M", c.rate_mbit * kOverload)});
  if (!udp) {
    return tl::unexpected(udp.error());
  }
  checks.push_back(rate_check(label(c, "UDP"), c.rate_mbit, *udp / kUdpShare));
  if (c.rtt_ms > kTcpRttMsMax) {
    return true;
  }
  const auto cubic = bench.iperf(tcp("cubic"));
  if (!cubic) {
    return tl::unexpected(cubic.error());
  }
  checks.push_back(rate_check(label(c, "TCP CUBIC"), c.rate_mbit, *cubic / kTcpShare));
  return true;
}

// Told, not judged: TCP's own behaviour, and the speed of this machine.
Result<bool> run_infos(const Bench& bench, std::vector<Check>& checks) {
  struct Info {
    Case link;
    double loss;
    std::string_view congestion_control;
  };
  static constexpr std::array<Info, 3> kInfos{{{{50, 50, false}, 0.01, "cubic"},
                                               {{50, 50, false}, 0.01, "bbr"},
                                               {{1000, 2, false}, 0, "cubic"}}};
  for (const Info& info : kInfos) {
    if (const auto done = bench.set(info.link.rate_mbit, info.link.rtt_ms, info.loss); !done) {
      return tl::unexpected(done.error());
    }
    const auto rate = bench.iperf(tcp(info.congestion_control));
    if (!rate) {
      continue;  // this kernel has no such congestion control
    }
    const std::string name =
        fmt::format("TCP {}, {} % loss", info.congestion_control, info.loss * 100);
    Check check = rate_check(label(info.link, name), info.link.rate_mbit, *rate / kTcpShare);
    check.info = true;
    checks.push_back(std::move(check));
  }
  return true;
}

void print_table(const std::vector<Check>& checks, const Json& lateness, bool all) {
  std::printf("%-50s %10s %10s %9s  %s\n", "check", "set", "measured", "error", "");
  for (const Check& check : checks) {
    const bool is_rate = check.unit == "Mbit/s";
    std::printf("%-50s %10.2f %10.2f %+8.2f%s  %s\n",
                check.name.c_str(),
                check.set,
                check.measured,
                is_rate ? check.error * 100 : check.error,
                is_rate ? "%" : " ",
                check.info     ? "info"
                : check.pass() ? "ok"
                               : "FAILED");
  }
  std::printf("lateness of the emulator: p50 %.3f, p99 %.3f, p99.9 %.3f, max %.3f ms\n",
              lateness.value("p50", 0.0),
              lateness.value("p99", 0.0),
              lateness.value("p999", 0.0),
              lateness.value("max", 0.0));
  std::printf("%s\n",
              all ? "ok: rates within 2 %, delays within 1 ms" : "FAILED: is the machine idle?");
}

void print_json(const std::vector<Check>& checks, const Json& lateness, bool all) {
  Json list = Json::array();
  for (const Check& check : checks) {
    list.push_back({{"name", check.name},
                    {"unit", check.unit},
                    {"set", check.set},
                    {"measured", check.measured},
                    {"error", check.error},
                    {"limit", check.limit},
                    {"info", check.info},
                    {"pass", check.pass()}});
  }
  const Json result =
      Json::object({{"ok", all}, {"checks", std::move(list)}, {"lateness_ms", lateness}});
  std::printf("%s\n", result.dump().c_str());
}

}  // namespace

Result<bool> selftest(const SelftestOptions& options) {
  const auto bench = Bench::start(options);
  if (!bench) {
    return tl::unexpected(bench.error());
  }
  std::vector<Check> checks;
  for (const Case& c : kCases) {
    if (options.quick && !c.quick) {
      continue;
    }
    if (const auto done = run_case(*bench, c, checks); !done) {
      return done;
    }
  }
  if (const auto done = options.quick ? true : run_infos(*bench, checks); !done) {
    return done;
  }
  const auto stats = bench->ask(Json::object({{"op", "stats"}}));
  if (!stats) {
    return tl::unexpected(stats.error());
  }
  bool all = true;
  for (const Check& check : checks) {
    all = all && check.pass();
  }
  (options.json ? print_json : print_table)(checks, (*stats)["lateness_ms"], all);
  return all;
}

}  // namespace godwit::wan
