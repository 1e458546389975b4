// The QUIC endpoint's insides: who may connect, whose packet it is, whose turn it is to send.
//
// The file is three: quic_endpoint.cc (sessions, turns, sending), quic_ingress.cc (what to do with
// a datagram that came) and quic_answers.cc (what is answered without state). Thread: one worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/port/port.h"
#include "dataplane/transport/admission.h"
#include "dataplane/transport/endpoint.h"
#include "dataplane/transport/late_answers.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/quic_session.h"
#include "dataplane/transport/retry_token.h"

namespace godwit::transport {

// Bytes as the library counts them.
inline const std::uint8_t* octets(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

// Between which addresses a datagram went, so that its answer goes back the same way.
struct Way {
  port::Peer remote;
  port::Peer local;  // as the train had it: without a host where the port has one address
};

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
    port::Peer source;         // by which an accepted one is counted
    bool is_reported = false;  // the gateway holds a pointer to it
    bool is_proven = false;    // its link was settled by its proven site
    bool is_waiting = false;   // it has had something to send since its shaper refused it
  };
  // Trains that wait for the port.
  struct Outbox {
    std::vector<std::byte> bytes;  // kTrainsMax slots of the largest train
    std::vector<port::Train> trains;
    std::size_t sent = 0;  // trains the port took already
  };

  // Ingress (quic_ingress.cc).
  // The configured peer at that address, else one on that host, else null.
  const PeerConfig* peer_at(const port::Peer& address) const;
  // By what admission counts a sender: a configured address, or a configured host with any port.
  port::Peer source_of(const port::Peer& from) const;
  void on_datagram(Instant now,
                   const Way& way,
                   std::span<const std::byte> datagram,
                   std::uint8_t ecn);
  void on_unmatched(Instant now,
                    const Way& way,
                    const ConnectionId& id,
                    std::span<const std::byte> datagram);
  // True: the packet answers a dial that was given up.
  bool is_late_answer(Instant now, const port::Peer& from, const ConnectionId& id);
  void accept(Instant now,
              const Way& way,
              const ngtcp2_pkt_hd& initial,
              std::span<const std::byte> datagram);
  HalfOpen half_open(const port::Peer& source) const;
  bool check_token(Instant now,
                   const port::Peer& from,
                   const port::Peer& source,
                   const ngtcp2_pkt_hd& initial,
                   std::optional<AddressProof>& proof);

  // Answers without state (quic_answers.cc).
  void ask_for_proof(Instant now, const Way& way, const ngtcp2_pkt_hd& initial);
  void negotiate_version(Instant now, const Way& way, const ngtcp2_version_cid& ids);
  bool is_reset_for_us(Instant now, const port::Peer& from, std::span<const std::byte> datagram);
  void reset_peer(Instant now, const Way& way, std::span<const std::byte> datagram);
  void reply(Instant now, const Way& way, std::span<std::byte> packet);
  // The own end of a session's path; the port's address where `local` names no host.
  port::Peer own_end(const port::Peer& local) const {
    return local.has_host() ? local.with_port(local_.udp_port()) : local_;
  }

  LinkShaper& shaper_of(const PeerConfig& peer);
  void settle_link(Slot& slot);
  void reap(Instant now);
  bool flush(Instant now);
  void build_trains(Instant now);
  void build_train(Instant now, Slot& slot);
  QuicSession::Holder holder_of(Instant now, const QuicSession& session) const;

  port::Port& port_;
  port::Capabilities capabilities_;
  port::Peer local_;
  QuicShared shared_;
  Admission admission_;
  LateAnswers late_answers_;
  std::vector<PeerConfig> peers_;
  std::vector<std::string> sites_;
  std::unordered_map<std::string, std::unique_ptr<LinkShaper>> shapers_;
  std::vector<Slot> slots_;
  std::size_t first_ = 0;  // whose turn to send comes first, moves round
  std::vector<port::Train> received_;
  Outbox outbox_;
  Instant now_ = Instant::from_ns(0);
  Instant retry_at_ = Instant::never();  // the port was busy
  Pace resets_;
  Pace warnings_;
  EndpointCounters counters_;
};

}  // namespace godwit::transport
