// godwit-port: what a port costs without QUIC.
//
//     godwit-port rings   --rounds 20
//     godwit-port receive --port dpdk --device af_packet:wan0 --local 10.9.0.2/24 --seconds 3
//     godwit-port send    --port dpdk --device af_packet:wan0 --local 10.9.0.1/24 --seconds 3
//                         --peer 10.9.0.2:7000
//
// Ports: uring, epoll, dpdk. `rings` prints one JSON line a round; the others one at the end, a
// receiver first {"ready": true}.
//
// exit: 0 done, 1 the run failed, 2 usage
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "api/cli/usage/usage.h"
#include "bench/dataplane/port_flow.h"
#include "bench/dataplane/port_rings.h"
#include "dataplane/base/log.h"

namespace godwit::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint16_t kUdpPort = 7'000;

struct Arguments {
  std::string port = "uring";
  std::string device;
  std::string local;
  std::string peer;
  double seconds = 0;
  int rounds = 20;
};

Result<port::PortOptions> port_options(const Arguments& a) {
  port::PortOptions options;
  options.ip.udp_port = kUdpPort;
  if (a.port != "dpdk") {  // the kernel knows its networks, and may have loopback's addresses
    const auto own = port::ip::Address::parse(a.local.substr(0, a.local.find('/')));
    if (!own) {
      return tl::unexpected(own.error());
    }
    options.kind = a.port == "epoll" ? port::PortKind::kEpoll : port::PortKind::kUring;
    options.local = own->with_port(kUdpPort);
    return options;
  }
  const auto own = port::ip::Subnet::parse(a.local);
  if (!own) {
    return tl::unexpected(own.error());
  }
  options.kind = port::PortKind::kDpdk;
  options.local = own->address.with_port(kUdpPort);
  options.dpdk.device = a.device;
  (own->address.is_v6 ? options.ip.v6 : options.ip.v4) = *own;
  return options;
}

Result<Json> dispatch(const std::string& command, const Arguments& a) {
  if (command == "rings") {
    return measure_rings(a.rounds);
  }
  const auto options = port_options(a);
  if (!options) {
    return tl::unexpected(options.error());
  }
  if (command == "receive") {
    return receive_datagrams(*options, Duration::seconds(a.seconds));
  }
  const auto peer = port::Peer::parse(a.peer);
  if (!peer) {
    return tl::unexpected(peer.error());
  }
  return send_datagrams(*options, *peer, Duration::seconds(a.seconds));
}

CLI::App* add_end(CLI::App& app, Arguments& a, const char* name, const char* words) {
  CLI::App* sub = app.add_subcommand(name, words);
  sub->add_option("--port", a.port, "What to send with")
      ->required()
      ->check(CLI::IsMember({"uring", "epoll", "dpdk"}));
  sub->add_option("--device", a.device, "Of dpdk, as [port] device of a gateway");
  sub->add_option("--local", a.local, "Our address with its prefix")->required();
  sub->add_option("--seconds", a.seconds, "How long this end runs")
      ->required()
      ->check(godwit::cli::number_between(0.1, 600.0));
  return sub;
}

int main_of(int argc, char** argv) {
  CLI::App app("What a port costs without QUIC");
  app.require_subcommand(1);
  Arguments a;
  app.add_subcommand("rings", "Two endpoints over a ring of DPDK's, in one thread")
      ->add_option("--rounds", a.rounds, "Lines that are printed")
      ->check(CLI::Range(1, 1'000));
  add_end(app, a, "receive", "Counts what comes and says so");
  add_end(app, a, "send", "Its other end")
      ->add_option("--peer", a.peer, "The receiver's address:port")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  log::set_level(log::Level::kError);
  const auto said = dispatch(app.get_subcommands().front()->get_name(), a);
  if (!said) {
    std::fprintf(stderr, "godwit-port: %s\n", said.error().message.c_str());
    return 1;
  }
  for (const Json& line : said->is_array() ? *said : Json::array({*said})) {
    std::printf("%s\n", line.dump().c_str());
  }
  return 0;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  return godwit::bench::main_of(argc, argv);
}
