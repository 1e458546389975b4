// Sites with real QUIC endpoints on an in-memory network under virtual time, for the tests.
//
//     World world(seed);
//     auto& fra = world.site("fra");  auto& nyc = world.site("nyc");
//     world.join(fra, nyc, {.delay = Duration::ms(50)});
//     Session* session = fra.dial(nyc);
//     world.run_until([&] { return ...; }, Duration::ms(1000));
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/port/loop/network.h"
#include "dataplane/transport/certificate.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::transport::testing {

// 2026-01-01; the tests' day. Moved by tests that let certificates expire.
inline std::int64_t g_unix_seconds = 1'767'225'600;
inline std::int64_t test_unix_seconds() {
  return g_unix_seconds;
}

inline const PemPair& authority() {
  static const PemPair pair =
      make_authority("test authority", {.valid_from = test_unix_seconds()}).value();
  return pair;
}

inline PemPair issue(const std::string& site, int days = 365, const PemPair& by = authority()) {
  return issue_site(by, site, {.valid_days = days, .valid_from = test_unix_seconds()}).value();
}

// One gateway's transport, and everything that its sessions told.
struct Site {
  struct Seen {
    std::vector<std::vector<std::byte>> control;
    std::vector<Instant> control_at;
    std::vector<std::vector<std::byte>> transfers;
    bool is_established = false;
    bool is_closed = false;
    Instant established_at;
    Instant closed_at;
    Identity identity;
    std::string own_certificate;
    Close close;
  };
  std::string name;
  port::Peer address;
  std::unique_ptr<port::Port> port;
  std::unique_ptr<TlsContext> tls;
  std::unique_ptr<Random> random;
  std::unique_ptr<Endpoint> endpoint;
  std::vector<PeerConfig> peers;
  std::vector<Session*> sessions;
  std::vector<std::unique_ptr<Seen>> seen;  // beside `sessions`
  bool keeps_transfers = true;
  std::uint64_t transfers_received = 0;
  std::uint64_t transfer_bytes = 0;
  std::function<void(Instant, Site&)> on_turn;  // after events, before transmit

  Seen& of(const Session* session) {
    for (std::size_t index = 0; index < sessions.size(); ++index) {
      if (sessions[index] == session) {
        return *seen[index];
      }
    }
    GODWIT_ASSERT(false, "unknown session");
    return *seen.front();
  }
  Session* track(Session* session) {
    if (session != nullptr) {
      sessions.push_back(session);
      seen.push_back(std::make_unique<Seen>());
    }
    return session;
  }
};

class World {
 public:
  explicit World(std::uint64_t seed, QuicOptions options = {})
      : random_(seed), network_(random_), options_(options) {}
  ~World() {
    sites_.clear();  // ports die before the network
  }

  Site& site(const std::string& name) { return site(name, issue(name), authority()); }
  Site& site(const std::string& name, const PemPair& own, const PemPair& trusted) {
    auto made = std::make_unique<Site>();
    made->name = name;
    const auto number = static_cast<std::uint8_t>(sites_.size() + 1);
    made->address = port::Peer::v4({10, 0, 0, number}, 4433);
    made->tls =
        TlsContext::from_pem(trusted.certificate, own, {.unix_seconds = test_unix_seconds}).value();
    sites_.push_back(std::move(made));
    start(*sites_.back());
    return *sites_.back();
  }
  // Opens port and endpoint; again after `crash`.
  void start(Site& site) {
    site.port = network_.open(site.address);
    if (decorate) {
      site.port = decorate(std::move(site.port));
    }
    site.random = std::make_unique<Random>(random_.next());
    site.endpoint = make_quic_endpoint(*site.port, *site.tls, options_, *site.random);
    site.endpoint->configure(site.peers);
  }
  // The process dies: nothing is said to anybody.
  void crash(Site& site) {
    site.sessions.clear();
    site.seen.clear();
    site.endpoint.reset();
    site.port.reset();
  }

  void join(Site& a,
            Site& b,
            const port::LinkConditions& conditions,
            BitRate cap = BitRate::unlimited()) {
    PeerConfig link;
    link.cap = cap;
    join(a, b, conditions, link);
  }
  // The same with everything of `link` but its ends.
  void join(Site& a, Site& b, const port::LinkConditions& conditions, PeerConfig link) {
    network_.set_both(a.address, b.address, conditions);
    link.site = link.link = b.name;
    link.address = b.address;
    a.peers.push_back(link);
    link.site = link.link = a.name;
    link.address = a.address;
    b.peers.push_back(link);
    a.endpoint->configure(a.peers);
    b.endpoint->configure(b.peers);
  }
  Session* dial(Site& from, const Site& to, Duration rtt_expected = Duration::zero()) {
    for (PeerConfig peer : from.peers) {
      if (peer.address == to.address) {
        peer.rtt_expected = rtt_expected;
        return from.track(from.endpoint->dial(now_, peer));
      }
    }
    return nullptr;
  }

  void turn(Site& site) {
    if (!site.endpoint) {
      return;
    }
    site.endpoint->receive(now_);
    while (site.track(site.endpoint->poll_accepted()) != nullptr) {
    }
    for (std::size_t index = 0; index < site.sessions.size(); ++index) {
      Session* session = site.sessions[index];
      Site::Seen& seen = *site.seen[index];
      while (session != nullptr) {
        auto event = session->poll_event();
        if (!event) {
          break;
        }
        note(site, seen, *event);
        if (event->kind == Event::Kind::kClosed) {
          site.endpoint->retire(now_, session);
          site.sessions[index] = session = nullptr;
        }
      }
    }
    if (site.on_turn) {
      site.on_turn(now_, site);
    }
    site.endpoint->transmit(now_);
  }

  // Runs until `done` or for `at_most` of virtual time; false: time ran out.
  bool run_until(const std::function<bool()>& done, Duration at_most) {
    const Instant end = now_ + at_most;
    while (!done()) {
      for (auto& site : sites_) {
        turn(*site);
      }
      Instant next = network_.next_event();
      for (auto& site : sites_) {
        if (site->endpoint) {
          next = std::min(next, site->endpoint->deadline());
        }
      }
      next = std::min(next, next_tick);
      if (next > now_) {
        if (next > end) {
          now_ = end;
          return done();
        }
        now_ = next;
        stuck_ = 0;
      } else {
        GODWIT_ASSERT(++stuck_ < 100'000, "time stands still");
      }
      if (next_tick <= now_) {
        next_tick = Instant::never();
      }
      network_.advance(now_);
    }
    return true;
  }
  void run(Duration time) {
    run_until([] { return false; }, time);
  }

  Instant now() const { return now_; }
  port::LoopNetwork& network() { return network_; }
  Random& random() { return random_; }
  // Wraps the port of every site that is started from now on.
  std::function<std::unique_ptr<port::Port>(std::unique_ptr<port::Port>)> decorate;
  Instant next_tick = Instant::never();  // an extra instant at which sites get a turn

 private:
  void note(Site& site, Site::Seen& seen, const Event& event) {
    const auto bytes = event.bytes.bytes();
    switch (event.kind) {
      case Event::Kind::kEstablished:
        seen.is_established = true;
        seen.established_at = now_;
        seen.identity = event.identity;
        seen.own_certificate = event.own_certificate;
        break;
      case Event::Kind::kControl:
        seen.control.emplace_back(bytes.begin(), bytes.end());
        seen.control_at.push_back(now_);
        break;
      case Event::Kind::kTransfer:
        ++site.transfers_received;
        site.transfer_bytes += bytes.size();
        if (site.keeps_transfers) {
          seen.transfers.emplace_back(bytes.begin(), bytes.end());
        }
        break;
      case Event::Kind::kClosed:
        seen.is_closed = true;
        seen.closed_at = now_;
        seen.close = event.close;
        break;
    }
  }

  Random random_;
  port::LoopNetwork network_;
  QuicOptions options_;
  std::vector<std::unique_ptr<Site>> sites_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  int stuck_ = 0;
};

}  // namespace godwit::transport::testing
