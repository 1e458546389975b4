// godwit-loopback: bytes and processor time of one encrypted flow over loopback, in four ways.
//
//     usage: godwit-loopback [--rounds N] [--phase-ms MS] [--only quic|tls|aead|own_aead]
//
// Each round gives each flow one phase, in turn, beginning with another one each time, and prints
// one JSON line: {"quic": {"bytes", "sender_s", "receiver_s", "sender_mallocs",
// "receiver_mallocs"}, "tls": {…}, "aead": {…}, "own_aead": {…}}. Rounds in which everything warms
// up come first and are not printed.
//
// exit: 0 done, 1 a flow could not be made or carried nothing, 2 usage
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/dataplane/flow.h"
#include "dataplane/base/log.h"

namespace godwit::bench {
namespace {

constexpr int kWarmUpRounds = 2;

struct Named {
  const char* name;
  Result<std::unique_ptr<Flow>> (*make)();
  std::unique_ptr<FlowRunner> runner;
};

nlohmann::ordered_json to_json(const Work& work) {
  return {{"bytes", work.bytes},
          {"sender_s", work.sender.to_seconds()},
          {"receiver_s", work.receiver.to_seconds()},
          {"sender_mallocs", work.sender_mallocs},
          {"receiver_mallocs", work.receiver_mallocs}};
}

int run(int rounds, Duration phase, const std::string& only) {
  std::vector<Named> flows;
  flows.push_back({"quic", make_quic_flow, nullptr});
  flows.push_back({"tls", make_tls_flow, nullptr});
  flows.push_back({"aead", make_aead_flow, nullptr});
  flows.push_back({"own_aead", make_own_aead_flow, nullptr});
  std::erase_if(flows, [&](const Named& flow) { return !only.empty() && only != flow.name; });
  for (Named& flow : flows) {
    auto made = flow.make();
    if (!made) {
      std::fprintf(stderr, "godwit-loopback: %s: %s\n", flow.name, made.error().message.c_str());
      return 1;
    }
    flow.runner = std::make_unique<FlowRunner>(std::move(*made));
  }
  for (int round = -kWarmUpRounds; round < rounds; ++round) {
    nlohmann::ordered_json line;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const int turn = round + kWarmUpRounds;
      Named& flow = flows[(i + static_cast<std::size_t>(turn)) % flows.size()];
      const Work work = flow.runner->run(phase);
      if (round >= 0 && work.bytes == 0) {
        std::fprintf(stderr, "godwit-loopback: %s carried nothing\n", flow.name);
        return 1;
      }
      line[flow.name] = to_json(work);
    }
    if (round >= 0) {
      std::printf("%s\n", line.dump().c_str());
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  CLI::App app(
      "Processor time of one encrypted flow over loopback: ours, TCP with TLS, AEAD alone");
  int rounds = 20;
  int phase_ms = 300;
  std::string only;
  app.add_option("--rounds", rounds, "Rounds that are printed")->check(CLI::Range(1, 1000));
  app.add_option("--phase-ms", phase_ms, "Length of one phase")->check(CLI::Range(5, 10'000));
  app.add_option("--only", only, "One flow alone, for a profile")
      ->check(CLI::IsMember({"quic", "tls", "aead", "own_aead"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  godwit::log::set_level(godwit::log::Level::kError);
  return godwit::bench::run(rounds, godwit::Duration::ms(phase_ms), only);
}
