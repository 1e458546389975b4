// godwitd: one site's gateway as a process.
//
// Everything that touches the operating system meets here: the port, the clients' socket, the
// admin socket, the metrics endpoint and signals; the Gateway itself does no I/O.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/gateway/admin_server.h"
#include "api/gateway/config.h"
#include "api/gateway/file_watch.h"
#include "api/gateway/gateway.h"
#include "api/gateway/identity.h"
#include "api/gateway/metrics_feed.h"
#include "api/gateway/port_config.h"
#include "api/gateway/report.h"
#include "api/gateway/store.h"
#include "api/local/server.h"
#include "dataplane/base/log.h"
#include "dataplane/base/system_time.h"
#include "dataplane/port/idle.h"
#include "dataplane/port/make_port.h"
#include "dataplane/port/with/capture.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/tls_context.h"
#include "monitoring/collector.h"
#include "monitoring/http_endpoint.h"

namespace godwit::gateway {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitConfig = 2;
// The worker wakes at least so often, for metrics and the scrubber.
constexpr Duration kWaitMax = Duration::ms(250);

// SIGINT, SIGTERM and SIGHUP as a readable descriptor.
int own_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// The next signal that came; 0: none did.
int signalled(int fd) {
  signalfd_siginfo info{};
  const bool came = ::read(fd, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
  return came ? static_cast<int>(info.ssi_signo) : 0;
}

class Daemon {
 public:
  explicit Daemon(Config config) : config_(std::move(config)), random_(system_entropy()) {}

  Result<void> start();
  void run();

 private:
  Result<void> start_transport();
  Result<void> start_metrics();
  void turn_clients();
  void take_signals(Instant now);
  Result<void> check_certificate() const;
  void renew_certificate();
  bool wants_stop(Instant now);
  void rest(Instant now);

  Config config_;
  Random random_;
  Instant started_ = system_now();
  int signals_ = own_signals();
  std::unique_ptr<port::Port> port_;
  port::Idle idle_{port::IdleLadder::waiting(config_.port.idle)};
  std::uint64_t packets_seen_ = 0;  // of the port, when the last turn ended
  std::unique_ptr<transport::TlsContext> tls_;
  std::optional<FileWatch> certificate_files_;
  std::unique_ptr<transport::Endpoint> endpoint_;
  std::unique_ptr<FileStore> store_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<local::Server> clients_;
  local::ServerOptions client_options_;
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<AdminServer> admin_;
  monitoring::Cells cells_;
  std::unique_ptr<MetricsFeed> feed_;
  std::unique_ptr<monitoring::Collector> collector_;
  std::unique_ptr<monitoring::HttpEndpoint> http_;
  std::optional<Instant> stop_at_;
};

Result<void> Daemon::start_transport() {
  const auto options = port_options(config_.port, config_.find_site(config_.site)->endpoint);
  if (!options) {
    return Failure(options.error());
  }
  auto port = port::make_port(*options);
  if (!port) {
    return Failure(port.error());
  }
  port_ = std::move(*port);
  if (!config_.port.capture.empty()) {
    auto capturing = port::with_capture(std::move(port_),
                                        {.path = config_.port.capture,
                                         .bytes_max = config_.port.capture_max,
                                         .unix_ns_at_zero = system_unix_ns() - system_now().ns()});
    if (!capturing) {
      return Failure(capturing.error());
    }
    port_ = std::move(*capturing);
    log::info("every packet is captured in {}, at most {} MiB",
              config_.port.capture,
              config_.port.capture_max.count() >> 20U);
  }
  certificate_files_.emplace(system_now(),
                             std::vector{config_.authority, config_.certificate, config_.key});
  auto tls = transport::TlsContext::load({config_.authority, config_.certificate, config_.key});
  if (!tls) {
    return Failure(tls.error());
  }
  tls_ = std::move(*tls);
  if (auto checked = check_certificate(); !checked) {
    return checked;
  }
  transport::QuicOptions quic;
  quic.congestion = config_.congestion == "cubic" ? transport::CongestionControl::kCubic
                                                  : transport::CongestionControl::kBbr;
  quic.markings = config_.markings.value_or(transport::Markings{});
  quic.packet_bytes = config_.packet_bytes;
  endpoint_ = transport::make_quic_endpoint(*port_, *tls_, quic, random_);
  return {};
}

Result<void> Daemon::start_metrics() {
  feed_ = std::make_unique<MetricsFeed>(*gateway_, cells_, started_);
  feed_->set_port(*port_);
  feed_->set_certificate_end(tls_->own().valid_until);
  collector_ = std::make_unique<monitoring::Collector>(
      monitoring::Identity{config_.site, "0.1.0", "release"},
      std::vector<const monitoring::Cells*>{&cells_});
  if (!config_.metrics_port) {
    return {};
  }
  auto http = monitoring::HttpEndpoint::start(*collector_, *config_.metrics_port);
  if (!http) {
    return Failure(http.error());
  }
  http_ = std::make_unique<monitoring::HttpEndpoint>(std::move(*http));
  return {};
}

Result<void> Daemon::start() {
  const auto incarnation = recover_or_begin_incarnation(
      config_.state_dir, config_.durable_dir, static_cast<std::uint32_t>(system_entropy()));
  if (!incarnation) {
    return Failure(incarnation.error());
  }
  if (auto started = start_transport(); !started) {
    return started;
  }
  store_ = std::make_unique<FileStore>(config_.state_dir);
  auto gateway = Gateway::open(
      system_now(), config_, *store_, *incarnation, *endpoint_, random_, &system_thread_time);
  if (!gateway) {
    return Failure(gateway.error());
  }
  gateway_ = std::move(*gateway);
  gateway_->use_certificate(tls_->own().sha256);
  if (auto started = start_metrics(); !started) {
    return started;
  }
  reporter_ = std::make_unique<Reporter>(*gateway_, started_);
  reporter_->set_port(*port_);
  auto admin = AdminServer::listen(config_.admin, [this](std::span<const std::byte> request) {
    return reporter_->answer(system_now(), request);
  });
  if (!admin) {
    return Failure(admin.error());
  }
  admin_ = std::move(*admin);
  client_options_.socket_path = config_.client;
  reporter_->set_client_ring_bytes(client_options_.to_gateway_bytes +
                                   client_options_.to_client_bytes);
  auto clients = local::Server::listen(client_options_);
  if (!clients) {
    return Failure(clients.error());
  }
  clients_ = std::move(*clients);
  for (const int fd : {signals_, admin_->fd(), clients_->fd()}) {
    port_->watch(fd);
  }
  log::info("gateway of site {} listens on {} ({}), clients on {}",
            config_.site,
            port_->local().format(),
            port_->capabilities().name,
            config_.client);
  return {};
}

void Daemon::turn_clients() {
  while (auto event = clients_->poll_event()) {
    const auto id = static_cast<std::uint64_t>(event->client);
    switch (event->kind) {
      case local::ServerEvent::Kind::kConnected:
        gateway_->attach_client(
            id, *clients_->channel(event->client), client_options_.to_client_bytes);
        break;
      case local::ServerEvent::Kind::kDisconnected:
        gateway_->detach_client(id);
        break;
      case local::ServerEvent::Kind::kDoorbell:
        break;
    }
  }
}

Result<void> Daemon::check_certificate() const {
  const auto& names = tls_->own().sites;
  if (std::find(names.begin(), names.end(), config_.site) == names.end()) {
    return fail(Code::kRefused,
                "{}: is the certificate of another site, not of \"{}\"",
                config_.certificate,
                config_.site);
  }
  return {};
}

// Sessions begun from now on show the new certificate; those that run are replaced one by one.
void Daemon::renew_certificate() {
  if (auto loaded = tls_->reload(config_.site); !loaded) {
    log::error("the former certificate stays in use: {}", loaded.error().message);
    return;
  }
  feed_->set_certificate_end(tls_->own().valid_until);
  gateway_->use_certificate(tls_->own().sha256);
  log::info("certificate {} is in use", tls_->own().sha256.substr(0, 16));
}

void Daemon::take_signals(Instant now) {
  while (const int number = signalled(signals_)) {
    if (number == SIGHUP) {
      renew_certificate();
    } else if (!stop_at_) {
      stop_at_ = now;
    }
  }
  if (certificate_files_->has_changed(now)) {
    renew_certificate();
  }
}

bool Daemon::wants_stop(Instant now) {
  if (!stop_at_ && reporter_->stop_requested()) {
    stop_at_ = now + reporter_->stop_drain();
    gateway_->drain();
  }
  return stop_at_ && (now >= *stop_at_ || gateway_->drained());
}

void Daemon::rest(Instant now) {
  const Duration at_most = std::min(gateway_->deadline() - now, kWaitMax);
  if (config_.port.kind == "dpdk") {  // its device rests as it is told, look by look
    port_->wait(at_most);
    return;
  }
  const port::Counters counters = port_->counters();
  const std::uint64_t packets = counters.packets_received + counters.packets_sent;
  const std::uint64_t found = packets - std::exchange(packets_seen_, packets);
  port_->wait(idle_.after_turn(now, found, at_most));
}

void Daemon::run() {
  for (;;) {
    const Instant now = system_now();
    turn_clients();
    const bool more = gateway_->on_turn(now);
    for (const std::uint64_t id : gateway_->take_finished_clients()) {
      clients_->disconnect(local::ClientId{id});
      clients_->forget(local::ClientId{id});
    }
    admin_->poll();
    const Instant done = system_now();
    feed_->on_turn(done, done - now, clients_->turned_away());
    take_signals(done);
    if (wants_stop(done)) {
      break;
    }
    if (!more) {
      rest(done);
    }
  }
  gateway_->stop(system_now());
  gateway_->on_turn(system_now());
  log::info("gateway of site {} stops; its state stays in {}", config_.site, config_.state_dir);
}

int run_daemon(int argc, char** argv) {
  CLI::App app{
      "The gateway of one site: queues, merges and ships model updates to the other sites.\n"
      "The same file serves all sites; --site says which one this is."};
  std::string file = "/etc/godwit/godwit.toml";
  std::string site;
  std::string port;
  std::string level = "info";
  bool check = false;
  app.add_option("-c,--config", file, "The configuration file")->capture_default_str();
  app.add_option("--site", site, "This site's name, instead of [self] site");
  app.add_option("--port", port, "uring, epoll or dpdk, instead of [port] kind")
      ->check(CLI::IsMember({"uring", "epoll", "dpdk"}));
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_flag("--check", check, "Check the configuration and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitConfig;
  }
  log::set_level(level == "debug"   ? log::Level::kDebug
                 : level == "warn"  ? log::Level::kWarn
                 : level == "error" ? log::Level::kError
                                    : log::Level::kInfo);
  Overrides overrides;
  if (!site.empty()) {
    overrides.site = site;
  }
  if (!port.empty()) {
    overrides.port = port;
  }
  auto config = load_config(file, overrides);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return kExitConfig;
  }
  if (check) {
    std::printf("%s: good for site %s\n", file.c_str(), config->site.c_str());
    return 0;
  }
  log::set_name(config->site);
  ::prctl(PR_SET_DUMPABLE, 0);
  Daemon daemon(std::move(*config));
  if (auto started = daemon.start(); !started) {
    log::error("{}", started.error().message);
    return kExitFailed;
  }
  daemon.run();
  return 0;
}

}  // namespace
}  // namespace godwit::gateway

int main(int argc, char** argv) {
  return godwit::gateway::run_daemon(argc, argv);
}
