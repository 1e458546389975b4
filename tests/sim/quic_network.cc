#include "tests/sim/quic_network.h"

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/port/loop/network.h"
#include "dataplane/transport/certificate.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/tls_context.h"
#include "tests/sim/entropy.h"

namespace godwit::sim {
namespace {

std::int64_t today() {
  return kToday;
}

// The certificates of all sites that a scenario can have, made once for all seeds and equal in
// every process: on a thread whose chance is fixed.
struct Certificates {
  transport::PemPair authority;
  std::map<std::string, transport::PemPair> sites;
};

const Certificates& certificates() {
  static const Certificates all = [] {
    Certificates made;
    std::thread maker([&made] {
      const Entropy entropy(0);
      made.authority =
          transport::make_authority("simulated authority", {.valid_from = kToday}).value();
      for (const std::string_view site : kSiteNames) {
        made.sites.emplace(
            site,
            transport::issue_site(made.authority, site, {.valid_days = 365, .valid_from = kToday})
                .value());
      }
    });
    maker.join();
    return made;
  }();
  return all;
}

// Endpoint and port of one process: the port dies after the endpoint.
class PortedEndpoint final : public transport::Endpoint {
 public:
  PortedEndpoint(std::unique_ptr<port::Port> port, transport::TlsContext& tls, std::uint64_t seed)
      : random_(seed),
        port_(std::move(port)),
        endpoint_(transport::make_quic_endpoint(*port_, tls, {}, random_)) {}

  void configure(std::vector<transport::PeerConfig> peers) override {
    endpoint_->configure(std::move(peers));
  }
  transport::Session* dial(Instant now, const transport::PeerConfig& peer) override {
    return endpoint_->dial(now, peer);
  }
  transport::Session* poll_accepted() override { return endpoint_->poll_accepted(); }
  void receive(Instant now) override { endpoint_->receive(now); }
  void transmit(Instant now) override { endpoint_->transmit(now); }
  Instant deadline() const override { return endpoint_->deadline(); }
  void retire(Instant now, transport::Session* session) override {
    endpoint_->retire(now, session);
  }
  transport::EndpointCounters counters() const override { return endpoint_->counters(); }

 private:
  Random random_;
  std::unique_ptr<port::Port> port_;
  std::unique_ptr<transport::Endpoint> endpoint_;
};

class QuicNetwork final : public WideArea {
 public:
  QuicNetwork(const Scenario& scenario, std::uint64_t seed, Trace& trace)
      : entropy_((static_cast<void>(certificates()), seed)),
        scenario_(scenario),
        random_(seed),
        trace_(trace),
        network_(random_) {
    for (std::size_t from = 0; from < scenario.site_count(); ++from) {
      auto tls = transport::TlsContext::from_pem(certificates().authority.certificate,
                                                 certificates().sites.at(scenario.sites[from]),
                                                 {.unix_seconds = today});
      GODWIT_ASSERT(tls.has_value(), "the simulated certificates are good");
      tls_.push_back(std::move(*tls));
      for (std::size_t to = 0; to < scenario.site_count(); ++to) {
        const LinkDraw& draw = scenario.link(from, to);
        port::LinkConditions conditions;
        conditions.delay = draw.delay;
        conditions.jitter = draw.jitter;
        conditions.rate = draw.rate;
        conditions.queue_bytes = 64'000;
        conditions.loss = draw.loss;
        conditions.duplicate = scenario.replay * 0.1;
        conditions.corrupt = draw.loss * 0.2;
        conditions.reorder = draw.jitter > Duration::zero() ? 0.02 : 0.0;
        conditions_.push_back(conditions);
        if (from != to) {
          apply(from, to);
        }
      }
    }
  }

  std::unique_ptr<transport::Endpoint> open(std::size_t site) override {
    return std::make_unique<PortedEndpoint>(
        network_.open(address(site)), *tls_[site], random_.next());
  }
  void on_crash(Instant /*now*/, std::size_t /*site*/) override {}

  Instant next_event() const override { return network_.next_event(); }
  void advance(Instant now, std::vector<bool>& woken) override {
    entropy_.set_now(now);
    if (network_.next_event() > now) {
      return;
    }
    network_.advance(now);
    for (std::size_t from = 0; from < scenario_.site_count(); ++from) {
      for (std::size_t to = 0; to < scenario_.site_count(); ++to) {
        if (from == to) {
          continue;
        }
        const port::LinkCounters counters = network_.link_counters(address(from), address(to));
        std::uint64_t& known = delivered_[from * scenario_.site_count() + to];
        if (counters.bytes_delivered != known) {
          trace_.note(now, Happening::kDelivered, counters.bytes_delivered);
          known = counters.bytes_delivered;
          woken[to] = true;
        }
      }
    }
  }

  void cut(Instant /*now*/, std::size_t from, std::size_t to) override {
    conditions(from, to).cut = true;
    apply(from, to);
  }
  void heal(Instant /*now*/, std::size_t from, std::size_t to) override {
    conditions(from, to).cut = false;
    apply(from, to);
  }
  void break_session(Instant /*now*/, std::size_t /*a*/, std::size_t /*b*/) override {
    // QUIC's sessions end by silence and by restarts; cuts and crashes bring both about.
  }
  void set_rate(Instant /*now*/, std::size_t from, std::size_t to, BitRate rate) override {
    conditions(from, to).rate = rate;
    apply(from, to);
  }
  std::uint64_t messages() const override {
    std::uint64_t sum = 0;
    for (std::size_t from = 0; from < scenario_.site_count(); ++from) {
      for (std::size_t to = 0; to < scenario_.site_count(); ++to) {
        sum +=
            from == to ? 0 : network_.link_counters(address(from), address(to)).packets_delivered;
      }
    }
    return sum;
  }

 private:
  static port::Peer address(std::size_t site) {
    return port::Peer::v4({10, 0, 0, static_cast<std::uint8_t>(site + 1)}, 4433);
  }
  port::LinkConditions& conditions(std::size_t from, std::size_t to) {
    return conditions_[from * scenario_.site_count() + to];
  }
  void apply(std::size_t from, std::size_t to) {
    network_.set_link(address(from), address(to), conditions(from, to));
  }

  Entropy entropy_;
  const Scenario& scenario_;
  Random random_;
  Trace& trace_;
  port::LoopNetwork network_;
  std::vector<std::unique_ptr<transport::TlsContext>> tls_;
  std::vector<port::LinkConditions> conditions_;
  std::map<std::size_t, std::uint64_t> delivered_;
};

}  // namespace

std::unique_ptr<WideArea> make_quic_network(const Scenario& scenario,
                                            std::uint64_t seed,
                                            Trace& trace) {
  return std::make_unique<QuicNetwork>(scenario, seed, trace);
}

}  // namespace godwit::sim
