// A session over one QUIC connection: ngtcp2 inside, packets and time from the endpoint.
//
// Streams: each side's first bidirectional stream carries its control messages; every further one
// carries one transfer from its opener, and the receiver closes its own side at once, so that the
// stream ends (ngtcp2 0.12 never ends remote unidirectional streams).
//
// The file is six: quic_session.cc (life and interface), quic_close.cc (its ends), quic_receive.cc
// (callbacks, streams in), quic_send.cc (streams out, packets, trains), quic_rate.cc (what the
// shaper is told), quic_path.cc (probes).
//
// Thread: the endpoint's. Memory: bounded by the options' window, streams and control backlog;
// nothing is allocated once the session has been as busy before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/pace.h"
#include "dataplane/base/random.h"
#include "dataplane/base/ring.h"
#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/buffer.h"
#include "dataplane/transport/connection_id.h"
#include "dataplane/transport/control_framing.h"
#include "dataplane/transport/library_memory.h"
#include "dataplane/transport/marking.h"
#include "dataplane/transport/packet_protection.h"
#include "dataplane/transport/path_measurement.h"
#include "dataplane/transport/path_mtu.h"
#include "dataplane/transport/quic_compat.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/send_queue.h"
#include "dataplane/transport/session.h"
#include "dataplane/transport/shaper.h"
#include "dataplane/transport/stream_table.h"
#include "dataplane/transport/tls_session.h"

namespace godwit::transport {

// What the sessions of one endpoint share.
struct QuicShared {
  QuicOptions options;
  TlsContext& tls;
  Random& random;
  BufferPool pool;
  LibraryMemory memory;
  ConnectionTable connections;
};

// What a greeting's token proved: the peer receives what is sent to its address.
struct AddressProof {
  ngtcp2_cid original{};  // the destination id of its first greeting
  std::vector<std::uint8_t> token;
};

// What one session is made of.
struct QuicSetup {
  port::Peer local;  // all its packets are sent from there; without a host: as the port chooses
  port::Peer remote;
  std::vector<std::string> allowed_sites;  // the dialled site, or all configured ones
  LinkShaper* shaper = nullptr;            // never null; shared by the link's sessions
  Duration rtt_expected = Duration::zero();
  Duration rtt_seen = Duration::zero();  // that an answer took which came too late; zero: none did
  std::optional<CongestionControl> congestion;
  std::optional<AddressProof> proof;  // of an accepted one that was asked for it
};

class QuicSession final : public Session {
 public:
  // nullptr: the library refused (logged).
  static std::unique_ptr<QuicSession> dial(Instant now, QuicShared& shared, QuicSetup setup);
  static std::unique_ptr<QuicSession> accept(Instant now,
                                             QuicShared& shared,
                                             QuicSetup setup,
                                             const ngtcp2_pkt_hd& initial);
  QuicSession(const QuicSession&) = delete;
  QuicSession& operator=(const QuicSession&) = delete;
  ~QuicSession() override;

  // Session
  void on_timeout(Instant now) override;
  Instant deadline() const override;
  std::optional<Event> poll_event() override;
  bool wants_transfer() const override;
  Instant bulk_ready_at() const override { return setup_.shaper->bulk_ready_at(); }
  void send_transfer(Instant now, std::span<const std::byte> bytes, Precedence precedence) override;
  bool send_control(Instant now, std::span<const std::byte> message) override;
  void set_rate(BitRate rate) override { rate_ = rate; }
  SessionStats stats() const override;
  std::uint64_t unsent_bytes() const override { return unsent_; }
  const port::Peer& remote() const override { return setup_.remote; }
  const port::Peer& local() const override { return setup_.local; }
  void close(Instant now, std::uint64_t code, std::string_view reason) override;

  // For the endpoint.
  void on_packet(Instant now, std::span<const std::byte> packet, std::uint8_t ecn);
  // A router on the way said what it lets pass, UDP payload.
  void on_path_hint(Instant now, std::size_t bytes);
  // Ends the session when `packet` is a stateless reset of it.
  bool is_reset_by(Instant now, std::span<const std::byte> packet);
  struct Built {
    std::size_t bytes = 0;
    std::size_t packets = 0;
    std::uint16_t segment_bytes = 0;
    std::uint8_t dscp = 0;
  };
  // UDP payload of a full packet now; next_train's `out` must hold packets_max of them, and the
  // options' packet_bytes.
  std::size_t packet_bytes() const;
  // Fills `out` with at most `packets_max` packets of one size (the last may be shorter) and one
  // codepoint.
  Built next_train(Instant now, std::span<std::byte> out, std::size_t packets_max);
  // True when there may be something to send that waits for the shaper only.
  bool wants_turn() const { return wants_turn_; }
  bool is_established() const { return phase_ == Phase::kEstablished; }
  bool is_closed() const { return phase_ == Phase::kClosed; }
  // What acknowledgements told since the last call goes to the link's shaper.
  void tell_arrivals(Instant now);
  // Who keeps back what waits to be sent.
  enum class Holder : std::uint8_t {
    kNobody,  // nothing waits, or only for a turn
    kCap,
    kCongestion,
  };
  // From `now` on it is `holder`; the time since the last call counts for the one before.
  void on_holder(Instant now, Holder holder);
  // Whether bytes wait for a packet.
  bool has_unsent() const {
    return phase_ == Phase::kEstablished && (unsent_ > 0 || control_.unsent_bytes() > 0);
  }
  bool is_window_full() const;
  bool was_dialled() const { return dialled_; }
  bool has_heard() const { return has_heard_; }
  Instant began() const { return began_; }
  std::span<const ConnectionId> ids() const { return ids_; }
  // Answers of this peer take so long: one that came too late for an earlier dial showed it.
  void expect_round_trip(Duration rtt) { setup_.rtt_seen = rtt; }
  LinkShaper& shaper() const { return *setup_.shaper; }
  void use_shaper(LinkShaper& shaper) { setup_.shaper = &shaper; }
  // The link goes where this session goes.
  void take_path() const { setup_.shaper->use_path(setup_.local, setup_.remote); }
  const Close& close_cause() const { return close_; }
  const Identity& identity() const { return identity_; }

 private:
  enum class Phase : std::uint8_t {
    kHandshake,
    kEstablished,
    kClosed,
  };
  struct Incoming {
    Buffer bytes;
    bool is_complete = false;  // its event is queued
    bool is_taken = false;     // its event was taken by poll_event
    bool is_closed = false;    // the library forgot the stream
  };
  struct Outgoing {
    Buffer bytes;
    std::size_t sent = 0;
    Precedence precedence = Precedence::kNormal;
  };
  // A transfer whose last byte left at `at`.
  struct Sent {
    std::int64_t stream = -1;
    Instant at;
  };
  struct Queued {
    Event event;
    std::int64_t stream = -1;  // gives its credit back when taken
    std::uint64_t credit = 0;  // bytes
  };
  // What one packet may still carry.
  struct Source {
    enum class Kind : std::uint8_t {
      kNone,
      kClosing,
      kControl,
      kTransfer,
    };
    Kind kind = Kind::kNone;
    std::int64_t stream = -1;
    std::span<const std::byte> bytes;
    bool is_last = false;  // the stream ends with these bytes
    Precedence precedence = Precedence::kControl;
  };
  friend struct QuicCallbacks;

  QuicSession(QuicShared& shared, QuicSetup setup, bool dialled);
  bool start(Instant now, const ngtcp2_pkt_hd* initial);
  void fill_settings(ngtcp2_settings& settings, Instant now) const;
  void fill_parameters(ngtcp2_transport_params& parameters) const;
  void register_id(const ConnectionId& id);
  void forget_id(const ConnectionId& id);
  ngtcp2_path path() const;

  int read(Instant now, std::span<const std::byte> packet, std::uint8_t ecn);

  // Receiving (quic_receive.cc). The int results are the library's: 0 or a callback failure.
  int on_handshake_completed();
  void establish();
  int on_stream_data(std::int64_t stream, std::span<const std::byte> bytes, bool is_last);
  int on_control_data(std::span<const std::byte> bytes);
  int on_crypto_data(std::uint64_t end);
  int on_connection_id();
  int on_datagram();
  int on_stream_closed(std::int64_t stream);
  void on_acked(std::int64_t stream, std::uint64_t end);
  int refuse(CloseReason reason, std::uint64_t code, std::string text);
  bool is_local(std::int64_t stream) const { return (stream & 1) == (dialled_ ? 0 : 1); }
  std::int64_t own_control_stream() const { return dialled_ ? 0 : 1; }
  std::int64_t peer_control_stream() const { return dialled_ ? 1 : 0; }
  void give_credit(std::int64_t stream);
  void note_in_flight();
  std::uint64_t packets_lost() const;

  // Sending (quic_send.cc).
  void open_streams();
  Source next_source() const;
  void account(const Source& source, std::size_t accepted);
  std::optional<std::uint8_t> next_codepoint();
  std::uint8_t codepoint_of_own(bool is_full) const;
  std::ptrdiff_t write_packet(Instant now, std::span<std::byte> out);
  void update_keys(Instant now);
  std::uint64_t backlog_max() const;
  bool is_bbr() const;
  bool has_window_for_bulk() const;
  std::uint64_t measuring_window() const;
  Duration silence_limit() const;
  Duration handshake_patience() const;

  // Probes of the path (quic_path.cc).
  Built probe_path(Instant now, std::span<std::byte> out);
  std::ptrdiff_t write_nothing_new(Instant now, std::span<std::byte> out);
  std::ptrdiff_t write_probe(Instant now, std::span<std::byte> out);
  void chase_probe();
  void suspect_path(Instant now);

  // Ending.
  void end(Instant now, Close close, const quic::CloseError* tell_peer);
  void on_library_error(Instant now, int status);
  void on_peer_close(Instant now);
  void end_silent(Instant now);
  void end_expired(Instant now);

  QuicShared& shared_;
  QuicSetup setup_;
  bool dialled_;
  sockaddr_storage local_address_{};
  sockaddr_storage remote_address_{};
  socklen_t local_bytes_ = 0;
  socklen_t remote_bytes_ = 0;

  ngtcp2_conn* connection_ = nullptr;
  ConnectionReference reference_;
  std::optional<TlsSession> tls_;
  std::vector<ConnectionId> ids_;

  Phase phase_ = Phase::kHandshake;
  Identity identity_;
  Close close_;
  std::optional<Close> refusal_;  // set by a callback, carried out after the library returned
  bool was_reset_ = false;
  bool has_heard_ = false;
  Instant now_ = Instant::from_ns(0);  // of the running call, for callbacks
  PathMeasurement measurement_;        // of BBR; knows nothing where there is none
  Instant began_;
  Instant last_heard_;
  Instant expires_at_ = Instant::never();  // the peer's certificate

  Ring<Queued> events_;
  StreamTable<Incoming> incoming_;
  ControlReader control_reader_;

  SendQueue control_;
  bool control_is_open_ = false;
  Ring<Outgoing> waiting_;      // transfers without a stream yet
  Ring<std::int64_t> sending_;  // streams of transfers not completely sent, in order
  Ring<std::int64_t> closing_;  // incoming streams whose own side is to be closed
  StreamTable<Outgoing> outgoing_;
  std::uint64_t unsent_ = 0;
  std::uint64_t pieces_ = 0;                     // put into packets since the start
  Precedence sent_last_ = Precedence::kControl;  // of the last transfer put into one
  bool wants_turn_ = true;
  BitRate rate_ = BitRate::unlimited();
  Buffer close_packet_;

  PathMtu path_mtu_;
  std::uint64_t probe_ = 0;                     // the number of the last one
  std::uint64_t probe_judged_ = 0;              // of the last whose fate is known
  bool is_chasing_ = false;                     // keep-alives come sooner until it is
  Ring<Sent> sent_;                             // in order; acknowledged ones leave at the front
  Instant control_unacked_ = Instant::never();  // since when control waits for progress
  std::uint64_t key_packets_ = 0;               // packets_sent when the key was changed
  std::uint64_t connection_ids_ = 0;
  Pace datagrams_;
  Pace hints_;
  Holder holder_ = Holder::kNobody;
  Instant held_since_ = Instant::from_ns(0);
  std::optional<std::uint64_t> in_flight_before_;  // bytes, before this turn's acknowledgements
  std::uint64_t in_flight_seen_ = 0;               // bytes, after the last packet that came in
  std::uint64_t lost_told_ = 0;                    // of packets_lost, told to the shaper
  SessionStats totals_;                            // the counting part
};

}  // namespace godwit::transport
