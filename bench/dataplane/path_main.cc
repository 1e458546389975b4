// godwit-path: one end of a bulk flow between two sites of an emulated path.
//
// Each end runs for --seconds, prints one JSON line and ends. Receivers first print {"ready":
// true}, and at the end what arrived by tenths of a second (arrivals.h). Instants are
// CLOCK_MONOTONIC, the same for every program here.
//
//     godwit-path quic-receive --certificates DIR --site b --peer-site a --local 10.77.1.1:7000
//                              --peer 10.77.0.1:7000 --seconds 12
//     godwit-path quic-send    --certificates DIR --site a --peer-site b --local 10.77.0.1:7000
//                              --peer 10.77.1.1:7000 --seconds 12 --cap-mbit 50 --rtt-ms 100
//                              [--control-ms 20]
//     godwit-path tcp-receive  --local 10.77.1.1:7001 --seconds 12
//     godwit-path tcp-send     --peer 10.77.1.1:7001 --seconds 12 --congestion bbr
//     godwit-path datagram-receive --local 10.77.1.1:7000 --seconds 12
//     godwit-path datagram-send    --peer 10.77.1.1:7000 --seconds 12 --every-ms 20
//     godwit-path udp-flood    --peer 10.77.1.1:7002 --seconds 3 --rate-mbit 60
//
// exit: 0 done, 1 the run failed, 2 usage
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "api/cli/usage/usage.h"
#include "bench/dataplane/path_kernel.h"
#include "bench/dataplane/path_quic.h"
#include "dataplane/base/log.h"

namespace godwit::bench {
namespace {

struct Arguments {
  std::string local;
  std::string peer;
  std::string certificates;
  std::string site;
  std::string peer_site;
  std::string congestion;
  double seconds = 0;
  double cap_mbit = 0;
  double rtt_ms = 0;
  double message_ms = 0;
  double rate_mbit = 0;
};

Result<port::Peer> address(const std::string& text) {
  if (text.empty()) {
    return port::Peer();
  }
  return port::Peer::parse(text);
}

Result<nlohmann::ordered_json> dispatch(const std::string& command, const Arguments& a) {
  const auto local = address(a.local);
  const auto peer = address(a.peer);
  if (!local || !peer) {
    return tl::unexpected(!local ? local.error() : peer.error());
  }
  const Duration length = Duration::seconds(a.seconds);
  if (command == "tcp-send") {
    return send_tcp(*peer, a.congestion, length);
  }
  if (command == "tcp-receive") {
    return receive_tcp(*local, length);
  }
  if (command == "udp-flood") {
    return flood_udp(*peer, BitRate::mbps(a.rate_mbit), length);
  }
  if (command == "datagram-send") {
    return send_datagrams(*peer, Duration::seconds(a.message_ms / 1e3), length);
  }
  if (command == "datagram-receive") {
    return receive_datagrams(*local, length);
  }
  const PathQuicOptions options{
      .certificates = a.certificates,
      .site = a.site,
      .peer_site = a.peer_site,
      .local = *local,
      .peer = *peer,
      .cap = a.cap_mbit > 0 ? BitRate::mbps(a.cap_mbit) : BitRate::unlimited(),
      .rtt_expected = Duration::seconds(a.rtt_ms / 1e3),
      .length = length,
      .control_every = Duration::seconds(a.message_ms / 1e3)};
  return command == "quic-send" ? send_quic(options) : receive_quic(options);
}

CLI::App* command(CLI::App& app, Arguments& a, const char* name, const char* words) {
  CLI::App* sub = app.add_subcommand(name, words);
  sub->add_option("--seconds", a.seconds, "How long this end runs")
      ->required()
      ->check(godwit::cli::number_between(0.1, 600.0));
  return sub;
}

void add_quic(CLI::App& app, Arguments& a, const char* name, const char* words) {
  CLI::App* sub = command(app, a, name, words);
  sub->add_option("--local", a.local, "Our address:port")->required();
  sub->add_option("--peer", a.peer, "The other end's address:port")->required();
  sub->add_option("--certificates", a.certificates, "Folder of `godwit cert`")->required();
  sub->add_option("--site", a.site, "Our site's name")->required();
  sub->add_option("--peer-site", a.peer_site, "The other end's site's name")->required();
  sub->add_option("--cap-mbit", a.cap_mbit, "The link's rate, Mbit/s of layer 3; 97 % are used")
      ->check(godwit::cli::number_between(0.1, 100'000.0));
  sub->add_option("--rtt-ms", a.rtt_ms, "The round trip, if it is known")
      ->check(godwit::cli::number_between(0.0, 10'000.0));
  sub->add_option("--control-ms", a.message_ms, "A control message every so many milliseconds")
      ->check(godwit::cli::number_between(1.0, 10'000.0));
}

int main_of(int argc, char** argv) {
  CLI::App app("One end of a bulk flow between two sites of an emulated path");
  app.require_subcommand(1);
  Arguments a;
  add_quic(app, a, "quic-send", "Bulk through our session");
  add_quic(app, a, "quic-receive", "Its other end");
  CLI::App* tcp_send = command(app, a, "tcp-send", "Bulk over the kernel's TCP");
  tcp_send->add_option("--peer", a.peer, "The other end's address:port")->required();
  tcp_send->add_option("--congestion", a.congestion, "bbr, cubic, ...")->required();
  CLI::App* tcp_receive = command(app, a, "tcp-receive", "Its other end");
  tcp_receive->add_option("--local", a.local, "Our address:port")->required();
  CLI::App* datagrams = command(app, a, "datagram-send", "Lone datagrams with the time in them");
  datagrams->add_option("--peer", a.peer, "Where to, address:port")->required();
  datagrams->add_option("--every-ms", a.message_ms, "One every so many milliseconds")
      ->required()
      ->check(godwit::cli::number_between(1.0, 10'000.0));
  CLI::App* catcher = command(app, a, "datagram-receive", "Their other end");
  catcher->add_option("--local", a.local, "Our address:port")->required();
  CLI::App* flood = command(app, a, "udp-flood", "Datagrams that nobody reads");
  flood->add_option("--peer", a.peer, "Where to, address:port")->required();
  flood->add_option("--rate-mbit", a.rate_mbit, "Mbit/s of layer 3")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  log::set_level(log::Level::kError);
  const auto said = dispatch(app.get_subcommands().front()->get_name(), a);
  if (!said) {
    std::fprintf(stderr, "godwit-path: %s\n", said.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", said->dump().c_str());
  return 0;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  return godwit::bench::main_of(argc, argv);
}
