// What a core carries over loopback: QUIC on each engine beside plain UDP trains of the same size.
//
// Subject and reference alternate in short phases, so that a busy machine slows both; the figure
// is the median of the ratios. Sender and receiver share one thread and so one core: the value is
// gigabits carried per second of a core that does both sides' work.
//
// usage: transport_bench [PAIRS]
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/log.h"
#include "dataplane/base/random.h"
#include "dataplane/base/system_time.h"
#include "dataplane/port/udp.h"
#include "dataplane/transport/certificate.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::transport {
namespace {

constexpr std::size_t kPacketBytes = 1452;
constexpr std::size_t kTransferBytes = 64 * 1024;
constexpr Duration kPhase = Duration::ms(10);

std::unique_ptr<port::Port> open_port(port::UdpEngine engine) {
  auto port =
      port::make_udp_port({.local = port::Peer::parse("127.0.0.1:0").value(), .engine = engine});
  return port ? std::move(*port) : nullptr;
}

// CPU seconds of this thread.
double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Phase {
  double bytes = 0;
  double cpu = 0;
  double gigabits_per_core_second() const { return cpu > 0 ? bytes * 8e-9 / cpu : 0; }
};

// Plain trains from one port to the other: what the kernel alone costs.
class PlainPair {
 public:
  explicit PlainPair(port::UdpEngine engine) : a_(open_port(engine)), b_(open_port(engine)) {}
  bool is_ready() const { return a_ && b_; }
  Phase run() {
    const double cpu = cpu_seconds();
    const Instant end = system_now() + kPhase;
    Phase phase;
    const port::Train train{
        .peer = b_->local(), .segment_bytes = kPacketBytes, .bytes = bytes_, .ecn = 0};
    while (system_now() < end) {
      a_->transmit(system_now(), {&train, 1});
      const std::size_t count = b_->receive(system_now(), received_);
      for (const auto& one : std::span(received_).first(count)) {
        phase.bytes += static_cast<double>(one.bytes.size());
      }
      b_->release(std::span(received_).first(count));
    }
    phase.cpu = cpu_seconds() - cpu;
    return phase;
  }

 private:
  std::unique_ptr<port::Port> a_;
  std::unique_ptr<port::Port> b_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(44 * kPacketBytes);
  std::array<port::Train, 16> received_{};
};

// Two QUIC endpoints in one thread; goodput of transfers.
class QuicPair {
 public:
  QuicPair(port::UdpEngine engine, TlsContext& fra, TlsContext& nyc, Random& random)
      : a_port_(open_port(engine)), b_port_(open_port(engine)) {
    if (!a_port_ || !b_port_) {
      return;
    }
    a_ = make_quic_endpoint(*a_port_, fra, {.packet_bytes = kPacketBytes, .markings = {}}, random);
    b_ = make_quic_endpoint(*b_port_, nyc, {.packet_bytes = kPacketBytes, .markings = {}}, random);
    const PeerConfig to_b{.site = "nyc", .address = b_port_->local(), .link = "nyc"};
    a_->configure({to_b});
    b_->configure({{.site = "fra", .address = a_port_->local(), .link = "fra"}});
    dialled_ = a_->dial(system_now(), to_b);
    const Instant end = system_now() + Duration::ms(3000);
    while (!is_up_ && system_now() < end) {
      turn(system_now(), nullptr);
    }
  }
  bool is_ready() const { return is_up_; }
  Phase run() {
    const double cpu = cpu_seconds();
    const Instant end = system_now() + kPhase;
    Phase phase;
    for (Instant now = system_now(); now < end; now = system_now()) {
      turn(now, &phase);
    }
    phase.cpu = cpu_seconds() - cpu;
    return phase;
  }

 private:
  void turn(Instant now, Phase* phase) {
    a_->receive(now);
    while (auto event = dialled_->poll_event()) {
      is_up_ = is_up_ || event->kind == Event::Kind::kEstablished;
    }
    while (phase != nullptr && dialled_->wants_transfer()) {
      dialled_->send_transfer(now, transfer_);
    }
    a_->transmit(now);
    b_->receive(now);
    if (accepted_ == nullptr) {
      accepted_ = b_->poll_accepted();
    }
    while (accepted_ != nullptr) {
      const auto event = accepted_->poll_event();
      if (!event) {
        break;
      }
      if (phase != nullptr && event->kind == Event::Kind::kTransfer) {
        phase->bytes += static_cast<double>(event->bytes.size());
      }
    }
    b_->transmit(now);
  }

  std::unique_ptr<port::Port> a_port_;
  std::unique_ptr<port::Port> b_port_;
  std::unique_ptr<Endpoint> a_;
  std::unique_ptr<Endpoint> b_;
  Session* dialled_ = nullptr;
  Session* accepted_ = nullptr;
  bool is_up_ = false;
  std::vector<std::byte> transfer_ = std::vector<std::byte>(kTransferBytes, std::byte{7});
};

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(place))];
}

void compare(const char* name, QuicPair& subject, PlainPair& reference, int pairs) {
  std::vector<double> values;
  std::vector<double> references;
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const double value = subject.run().gigabits_per_core_second();
    const double other = reference.run().gigabits_per_core_second();
    if (value > 0 && other > 0) {
      values.push_back(value);
      references.push_back(other);
      ratios.push_back(value / other);
    }
  }
  if (ratios.empty()) {
    std::fprintf(stderr, "%s: nothing was carried\n", name);
    return;
  }
  std::printf(
      "{\"name\":\"%s\",\"value\":%.2f,\"unit\":\"Gbit/s per core, both ends\","
      "\"reference\":\"plain UDP trains\",\"reference_value\":%.2f,\"ratio\":%.3f,"
      "\"p25\":%.3f,\"p75\":%.3f,\"runs\":%zu}\n",
      name,
      quantile(values, 0.5),
      quantile(references, 0.5),
      quantile(ratios, 0.5),
      quantile(ratios, 0.25),
      quantile(ratios, 0.75),
      ratios.size());
}

int run(int pairs) {
  log::set_level(log::Level::kError);
  const CertificateOptions options{.valid_from = system_unix_seconds()};
  const auto authority = make_authority("bench", options);
  const auto fra = authority ? issue_site(*authority, "fra", options) : authority;
  const auto nyc = authority ? issue_site(*authority, "nyc", options) : authority;
  if (!authority || !fra || !nyc) {
    std::fprintf(stderr, "no certificates\n");
    return 1;
  }
  auto fra_tls = TlsContext::from_pem(authority->certificate, *fra);
  auto nyc_tls = TlsContext::from_pem(authority->certificate, *nyc);
  if (!fra_tls || !nyc_tls) {
    std::fprintf(stderr, "no TLS\n");
    return 1;
  }
  Random random(system_entropy());
  const std::array<std::pair<const char*, port::UdpEngine>, 2> engines = {
      std::pair{"transport/quic_loopback/engine:uring", port::UdpEngine::kUring},
      std::pair{"transport/quic_loopback/engine:epoll", port::UdpEngine::kEpoll}};
  for (const auto& [name, engine] : engines) {
    PlainPair plain(engine);
    QuicPair quic(engine, **fra_tls, **nyc_tls, random);
    if (!plain.is_ready() || !quic.is_ready()) {
      std::fprintf(stderr, "%s: not available here\n", name);
      continue;
    }
    for (int warm_up = 0; warm_up < 20; ++warm_up) {
      quic.run();
    }
    compare(name, quic, plain, pairs);
  }
  return 0;
}

}  // namespace
}  // namespace godwit::transport

int main(int count, char** arguments) {
  const int pairs = count > 1 ? std::atoi(arguments[1]) : 50;
  return godwit::transport::run(std::clamp(pairs, 1, 1000));
}
