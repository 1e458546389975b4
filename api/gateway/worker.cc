#include "api/gateway/worker.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "api/gateway/paths.h"
#include "api/gateway/port_config.h"
#include "api/gateway/site_config.h"
#include "dataplane/base/log.h"
#include "dataplane/base/system_time.h"
#include "dataplane/port/make_port.h"
#include "dataplane/port/with/capture.h"
#include "dataplane/transport/quic_endpoint.h"

namespace godwit::gateway {
namespace {

// A worker wakes at least so often, for metrics and the scrubber.
constexpr Duration kWaitMax = Duration::ms(250);

}  // namespace

Result<std::unique_ptr<transport::TlsContext>> load_certificate(const Config& config) {
  auto tls = transport::TlsContext::load({config.authority, config.certificate, config.key});
  if (!tls) {
    return Failure(tls.error());
  }
  const auto& names = (*tls)->own().sites;
  if (std::find(names.begin(), names.end(), config.site) == names.end()) {
    return fail(Code::kRefused,
                "{}: is the certificate of another site, not of \"{}\"",
                config.certificate,
                config.site);
  }
  return tls;
}

Worker::Worker(const Config& config, const WorkerPlace& place)
    : config_(config),
      place_(place),
      random_(system_entropy()),
      started_(system_now()),
      idle_(port::IdleLadder::waiting(config.port.idle)) {}

Worker::~Worker() {
  if (thread_.joinable()) {
    post([](Worker& worker) { worker.stop(); });
    thread_.join();
  }
}

Result<std::unique_ptr<Worker>> Worker::open(const Config& config,
                                             const WorkerPlace& place,
                                             Incarnation life) {
  std::unique_ptr<Worker> worker(new Worker(config, place));
  if (auto opened = worker->open_port(); !opened) {
    return Failure(opened.error());
  }
  if (auto opened = worker->open_transport(); !opened) {
    return Failure(opened.error());
  }
  if (auto opened = worker->open_gateway(life); !opened) {
    return Failure(opened.error());
  }
  return worker;
}

Result<void> Worker::open_port() {
  const auto options = port_options(config_.port,
                                    listen_endpoint(*config_.find_site(config_.site)),
                                    place_.index,
                                    config_.workers);
  if (!options) {
    return Failure(options.error());
  }
  auto port = port::make_port(*options);
  if (!port) {
    return Failure(port.error());
  }
  port_ = std::move(*port);
  if (!config_.port.capture.empty()) {
    const std::string path = capture_of(config_.port.capture, place_.index);
    auto capturing = port::with_capture(std::move(port_),
                                        {.path = path,
                                         .bytes_max = config_.port.capture_max,
                                         .unix_ns_at_zero = system_unix_ns() - system_now().ns()});
    if (!capturing) {
      return Failure(capturing.error());
    }
    port_ = std::move(*capturing);
    log::info("every packet is captured in {}, at most {} MiB",
              path,
              config_.port.capture_max.count() >> 20U);
  }
  return {};
}

Result<void> Worker::open_transport() {
  auto tls = load_certificate(config_);
  if (!tls) {
    return Failure(tls.error());
  }
  tls_ = std::move(*tls);
  transport::QuicOptions quic;
  quic.congestion = config_.congestion == "cubic" ? transport::CongestionControl::kCubic
                                                  : transport::CongestionControl::kBbr;
  quic.markings = config_.markings.value_or(transport::Markings{});
  quic.packet_bytes = config_.packet_bytes;
  endpoint_ = transport::make_quic_endpoint(*port_, *tls_, quic, random_);
  return {};
}

Result<void> Worker::open_gateway(Incarnation life) {
  store_ = std::make_unique<FileStore>(config_.state_dir, place_.index, config_.workers);
  auto gateway = Gateway::open(
      system_now(), config_, *store_, life, *endpoint_, random_, &system_thread_time, place_);
  if (!gateway) {
    return Failure(gateway.error());
  }
  gateway_ = std::move(*gateway);
  gateway_->use_certificate(tls_->own().sha256);
  feed_ = std::make_unique<MetricsFeed>(*gateway_, cells_, started_);
  feed_->set_port(*port_);
  feed_->set_certificate_end(tls_->own().valid_until);
  reporter_ = std::make_unique<Reporter>(*gateway_, started_);
  reporter_->set_port(*port_);
  client_options_.socket_path = numbered(config_.client, place_.index);
  reporter_->set_client_ring_bytes(client_options_.to_gateway_bytes +
                                   client_options_.to_client_bytes);
  auto clients = local::Server::listen(client_options_);
  if (!clients) {
    return Failure(clients.error());
  }
  clients_ = std::move(*clients);
  port_->watch(clients_->fd());
  const std::string whose = place_.index == 0 ? "gateway" : fmt::format("worker {}", place_.index);
  log::info("{} of site {} listens on {} ({}), clients on {}",
            whose,
            config_.site,
            port_->local().format(),
            port_->capabilities().name,
            client_options_.socket_path);
  return {};
}

void Worker::start(std::function<void()> on_end) {
  thread_ = std::thread([this, on_end = std::move(on_end)] {
    run();
    has_ended_.store(true, std::memory_order_release);
    on_end();
  });
}

void Worker::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Worker::post(Task task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
  }
  has_tasks_.store(true, std::memory_order_release);
  port_->wake();
}

void Worker::do_tasks() {
  if (!has_tasks_.exchange(false, std::memory_order_acquire)) {
    return;
  }
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) {
    task(*this);
  }
}

std::string Worker::answer(std::span<const std::byte> request) {
  return reporter_->answer(system_now(), request);
}

// Sessions that run are replaced one by one.
void Worker::renew_certificate() {
  if (auto loaded = tls_->reload(config_.site); !loaded) {
    log::error("the former certificate stays in use: {}", loaded.error().message);
    return;
  }
  feed_->set_certificate_end(tls_->own().valid_until);
  gateway_->use_certificate(tls_->own().sha256);
  log::info("certificate {} is in use", tls_->own().sha256.substr(0, 16));
}

void Worker::turn_clients() {
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
  const std::uint64_t away = clients_->turned_away().by_limit;
  if (away >= turned_away_told_) {  // they may come again at once, without end
    turned_away_told_ = 10 * away;
    log::warn("a client was turned away: {} are connected, of at most {} ({} such so far)",
              gateway_->client_count(),
              client_options_.clients_max,
              away);
  }
}

bool Worker::wants_stop(Instant now) {
  if (const auto drain = reporter_->take_stop()) {
    stop_at_ = now + *drain;  // the last request holds
    gateway_->drain();
  }
  return stop_at_ && (now >= *stop_at_ || gateway_->drained());
}

void Worker::rest(Instant now) {
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

void Worker::run() {
  for (;;) {
    const Instant now = system_now();
    do_tasks();
    turn_clients();
    const bool more = gateway_->on_turn(now);
    for (const std::uint64_t id : gateway_->take_finished_clients()) {
      clients_->disconnect(local::ClientId{id});
      clients_->forget(local::ClientId{id});
    }
    const Instant done = system_now();
    feed_->on_turn(done, done - now, clients_->turned_away());
    if (wants_stop(done)) {
      break;
    }
    if (!more) {
      rest(done);
    }
  }
  gateway_->stop(system_now());
  gateway_->on_turn(system_now());
}

}  // namespace godwit::gateway
