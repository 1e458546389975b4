// The QUIC endpoint's insides: who may connect, whose packet it is, whose turn it is to send.
//
// The file is two: quic_endpoint.cc (sessions, turns, sending) and quic_ingress.cc (what to do with
// a datagram that came). Thread: one worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/port/port.h"
#include "dataplane/transport/endpoint.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/quic_session.h"

namespace godwit::transport {

class QuicEndpoint final : public Endpoint {
 public:
  QuicEndpoint(port::Port& port, TlsContext& tls, const QuicOptions& options, Random& random);
  ~QuicEndpoint() override;
  QuicEndpoint(const QuicEndpoint&) = delete;
  QuicEndpoint& operator=(const QuicEndpoint&) = delete;

  void configure(std::vector<PeerConfig> peers) override;
  Session* dial(Instant now, const PeerConfig& peer) override;
  Session* poll_accepted() override;
  void receive(Instant now) override;
  void transmit(Instant now) override;
  Instant deadline() const override;
  void retire(Instant now, Session* session) override;
  EndpointCounters counters() const override { return counters_; }

 private:
  struct Slot {
    std::unique_ptr<QuicSession> session;
    bool is_reported = false;  // the gateway holds a pointer to it
    bool is_proven = false;    // its link was settled by its proven site
  };
  // Trains that wait for the port.
  struct Outbox {
    std::vector<std::byte> bytes;  // kTrainsMax slots of the largest train
    std::vector<port::Train> trains;
    std::size_t sent = 0;  // trains the port took already
  };

  // Ingress (quic_ingress.cc).
  void on_datagram(Instant now,
                   const port::Peer& from,
                   std::span<const std::byte> datagram,
                   std::uint8_t ecn);
  void on_unmatched(Instant now, const port::Peer& from, std::span<const std::byte> datagram);
  void accept(Instant now,
              const port::Peer& from,
              const ngtcp2_pkt_hd& initial,
              std::span<const std::byte> datagram);
  void negotiate_version(Instant now, const port::Peer& from, const ngtcp2_version_cid& ids);
  bool is_reset_for_us(Instant now, const port::Peer& from, std::span<const std::byte> datagram);
  void reset_peer(Instant now, const port::Peer& from, std::span<const std::byte> datagram);
  void reply(Instant now, const port::Peer& to, std::span<std::byte> packet);
  // The configured peer at that address, else one on that host, else null.
  const PeerConfig* peer_at(const port::Peer& address) const;

  LinkShaper& shaper_of(const PeerConfig& peer);
  void settle_link(Slot& slot);
  void reap(Instant now);
  bool flush(Instant now);
  void build_trains(Instant now, QuicSession& session);
  std::size_t handshakes_open() const;

  port::Port& port_;
  port::Capabilities capabilities_;
  port::Peer local_;
  QuicShared shared_;
  std::vector<PeerConfig> peers_;
  std::vector<std::string> sites_;
  std::unordered_map<std::string, std::unique_ptr<LinkShaper>> shapers_;
  std::vector<Slot> slots_;
  std::size_t first_ = 0;  // whose turn to send comes first, moves round
  std::vector<port::Train> received_;
  Outbox outbox_;
  Instant now_ = Instant::from_ns(0);
  Instant retry_at_ = Instant::never();  // the port was busy
  Instant reset_next_ = Instant::from_ns(0);
  EndpointCounters counters_;
};

}  // namespace godwit::transport
