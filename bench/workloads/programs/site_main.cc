// godwit-site: one data centre of the main job, a parameter server with its workers.
//
// Standard output carries one JSON object per line: ready, step (about once a second), end. The
// starter answers "ready" with a line "start NANOSECONDS" (CLOCK_MONOTONIC) on standard input, so
// that all sites begin together. SIGTERM ends the run.
#include <charconv>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "api/cli/usage/usage.h"
#include "bench/baselines/delay_line.h"
#include "bench/baselines/tcp_async.h"
#include "bench/baselines/tcp_bsp.h"
#include "bench/workloads/through/godwit_exchange.h"
#include "bench/workloads/trainer/model.h"
#include "bench/workloads/trainer/parameter_server.h"
#include "bench/workloads/trainer/stop.h"

namespace {

using godwit::Bytes;
using godwit::Code;
using godwit::Duration;
using godwit::Instant;
using godwit::Result;
using godwit::trainer::Exchange;
using godwit::trainer::Progress;
using Json = nlohmann::json;

struct Arguments {
  godwit::trainer::SiteOptions site;
  godwit::baselines::MeshOptions mesh;
  std::string exchange = "isolated";
  std::uint64_t local_steps = 1;
  std::int64_t step_ms = 150;
  std::int64_t phase_ms = 0;
  std::int64_t snapshot_ms = 500;
  std::uint64_t buffer_bytes = 4U << 20U;
  std::vector<double> delays_ms;
  std::string line_folder;
  godwit::through::GodwitOptions godwit;
};

void print(const Json& line) {
  std::cout << line.dump() << std::endl;  // flushed: a program reads along
}

Json to_json(const char* event, const Progress& progress) {
  return {{"event", event},
          {"step", progress.steps},
          {"seconds", progress.since_start.to_seconds()},
          {"overruns", progress.overruns},
          {"work_worst_ms", progress.work_worst.to_seconds() * 1e3},
          {"loss", progress.loss}};
}

Result<Instant> wait_for_start(const std::string& description) {
  print({{"event", "ready"},
         {"exchange", description},
         {"parameters", godwit::trainer::kParameters}});
  std::string word;
  std::int64_t at = 0;
  if (!(std::cin >> word >> at) || word != "start") {
    return godwit::fail(Code::kClosed, "the starter did not say \"start NANOSECONDS\"");
  }
  return Instant::from_ns(at);
}

std::unique_ptr<Exchange> make_exchange(const Arguments& arguments) {
  const std::size_t elements = godwit::trainer::kParameters;
  if (arguments.exchange == "tcp-async") {
    return std::make_unique<godwit::baselines::TcpAsync>(arguments.mesh, elements);
  }
  if (arguments.exchange == "tcp-bsp") {
    return std::make_unique<godwit::baselines::TcpBsp>(
        arguments.mesh, elements, arguments.local_steps, &godwit::trainer::stop_wanted);
  }
  if (arguments.exchange == "oracle") {
    godwit::baselines::DelayLineOptions options = {
        .site = arguments.site.site, .delays = {}, .folder = arguments.line_folder};
    for (const double delay : arguments.delays_ms) {
      options.delays.push_back(Duration::seconds(delay * 1e-3));
    }
    return std::make_unique<godwit::baselines::DelayLine>(options, elements);
  }
  if (arguments.exchange == "godwit") {
    return std::make_unique<godwit::through::GodwitExchange>(arguments.godwit, elements);
  }
  return std::make_unique<godwit::trainer::Isolated>();
}

void declare_options(CLI::App& app, Arguments& a) {
  app.add_option("--site", a.site.site, "this site's index")->required();
  app.add_option("--sites", a.site.sites, "number of sites")->required()->check(CLI::Range(1, 11));
  app.add_option("--workers", a.site.workers)->check(CLI::Range(1, 16));
  app.add_option("--batch", a.site.batch, "samples per worker and step")
      ->check(CLI::Range(1, 4096));
  app.add_option("--step-ms", a.step_ms, "the rhythm")->check(CLI::Range(1, 60000));
  app.add_option("--phase-ms", a.phase_ms, "how long after the start the rhythm begins")
      ->check(CLI::Range(0, 60000));
  app.add_option("--learning-rate", a.site.learning_rate)->check(CLI::PositiveNumber);
  app.add_option("--decay-steps", a.site.decay_steps)->check(CLI::PositiveNumber);
  app.add_option("--skew", a.site.skew)->check(godwit::cli::number_between(0.0, 1.0));
  app.add_option("--seed", a.site.seed);
  app.add_option("--dataset", a.site.dataset, "folder of the IDX files");
  app.add_option("--snapshots", a.site.snapshots, "folder for the evaluator");
  app.add_option("--snapshot-ms", a.snapshot_ms)->check(CLI::Range(1, 60000));
  app.add_option("--exchange", a.exchange)
      ->check(CLI::IsMember({"isolated", "tcp-async", "tcp-bsp", "oracle", "godwit"}));
  app.add_option("--local-steps", a.local_steps, "tcp-bsp: steps between rounds")
      ->check(CLI::Range(1, 100000));
  app.add_option("--address", a.mesh.addresses, "IPv4:port of every site, in order");
  app.add_option("--congestion-control", a.mesh.congestion_control);
  app.add_option("--buffer-bytes", a.buffer_bytes, "socket buffers");
  app.add_option("--delay-ms", a.delays_ms, "oracle: one-way delay from every site, in order");
  app.add_option("--gateway-socket", a.godwit.socket, "godwit: the gateway's client socket");
  app.add_option("--publisher", a.godwit.name, "godwit: this publisher's name");
  app.add_option("--log", a.godwit.log_file, "godwit: file for the sum of all publishes");
  app.add_option("--line-folder", a.line_folder, "oracle: a folder in memory");
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  arguments.site.dataset = godwit::trainer::kDatasetFolder;
  CLI::App app("One site of the main job.", "godwit-site");
  declare_options(app, arguments);
  CLI11_PARSE(app, argc, argv);
  arguments.site.step_time = Duration::ms(arguments.step_ms);
  arguments.site.phase = Duration::ms(arguments.phase_ms);
  arguments.site.snapshot_every = Duration::ms(arguments.snapshot_ms);
  arguments.mesh.site = arguments.site.site;
  arguments.mesh.socket_buffer = Bytes(arguments.buffer_bytes);

  godwit::trainer::stop_on_signals();
  const godwit::trainer::SiteHooks hooks = {
      .ready = wait_for_start,
      .progress = [](const Progress& progress) { print(to_json("step", progress)); }};
  const auto result = godwit::trainer::run_site(
      arguments.site, [&] { return make_exchange(arguments); }, hooks);
  if (!result) {
    if (godwit::trainer::stop_wanted()) {
      return 0;  // a peer that ended first is no failure
    }
    std::fprintf(
        stderr, "godwit-site %zu: %s\n", arguments.site.site, result.error().message.c_str());
    return 1;
  }
  print(to_json("end", *result));
  return 0;
}
