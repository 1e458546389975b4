#include "dataplane/transport/quic_callbacks.h"

#include <algorithm>

#include "dataplane/transport/packet_protection.h"
#include "dataplane/transport/quic_session.h"

namespace godwit::transport {
namespace {

void fill_random(Random& random, std::span<std::uint8_t> out) {
  for (std::uint8_t& byte : out) {
    byte = static_cast<std::uint8_t>(random.next() >> 56U);
  }
}

}  // namespace

// A friend of the session; each function unpacks the library's arguments and no more.
struct QuicCallbacks {
  static QuicSession& session(void* user) { return *static_cast<QuicSession*>(user); }

  static void random(std::uint8_t* out, std::size_t bytes, const ngtcp2_rand_ctx* context) {
    fill_random(*static_cast<Random*>(context->native_handle), {out, bytes});
  }

  static int new_connection_id(
      ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t bytes, void* user) {
    QuicSession& self = session(user);
    id->datalen = bytes;
    fill_random(self.shared_.random, {id->data, bytes});
    const auto& secret = self.shared_.tls.reset_secret();
    if (ngtcp2_crypto_generate_stateless_reset_token(token, secret.data(), secret.size(), id) !=
        0) {
      return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    self.register_id(ConnectionId(*id));
    return self.on_connection_id();
  }

  static int peer_connection_id(ngtcp2_conn*,
                                quic::IdStatus what,
                                std::uint64_t,
                                const ngtcp2_cid*,
                                const std::uint8_t*,
                                void* user) {
    return what == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE ? session(user).on_connection_id() : 0;
  }

  static int crypto_data(ngtcp2_conn* connection,
                         quic::CryptoLevel level,
                         std::uint64_t offset,
                         const std::uint8_t* data,
                         std::size_t bytes,
                         void* user) {
    const int status = session(user).on_crypto_data(offset + bytes);
    return status != 0
               ? status
               : ngtcp2_crypto_recv_crypto_data_cb(connection, level, offset, data, bytes, user);
  }

  static int datagram(ngtcp2_conn*, std::uint32_t, const std::uint8_t*, std::size_t, void* user) {
    return session(user).on_datagram();
  }

  // A verdict on an older probe comes too late to matter.
  static int probe_acked(ngtcp2_conn*, std::uint64_t number, void* user) {
    QuicSession& self = session(user);
    self.probe_judged_ = std::max(self.probe_judged_, number);
    if (number == self.probe_) {
      self.path_mtu_.on_probe_acked(self.now_);
    }
    return 0;
  }
  static int probe_lost(ngtcp2_conn*, std::uint64_t number, void* user) {
    QuicSession& self = session(user);
    self.probe_judged_ = std::max(self.probe_judged_, number);
    if (number == self.probe_) {
      self.path_mtu_.on_probe_lost(self.now_);
    }
    return 0;
  }

  static int remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) {
    session(user).forget_id(ConnectionId(*id));
    return 0;
  }

  static int path_challenge(ngtcp2_conn*, std::uint8_t* out, void* user) {
    fill_random(session(user).shared_.random, {out, NGTCP2_PATH_CHALLENGE_DATALEN});
    return 0;
  }

  static int handshake_completed(ngtcp2_conn*, void* user) {
    return session(user).on_handshake_completed();
  }

  static int handshake_confirmed(ngtcp2_conn*, void* user) {
    session(user).establish();
    return 0;
  }

  static int stream_data(ngtcp2_conn*,
                         std::uint32_t flags,
                         std::int64_t stream,
                         std::uint64_t,
                         const std::uint8_t* data,
                         std::size_t bytes,
                         void* user,
                         void*) {
    return session(user).on_stream_data(
        stream, std::as_bytes(std::span(data, bytes)), (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
  }

  static int acked(ngtcp2_conn*,
                   std::int64_t stream,
                   std::uint64_t offset,
                   std::uint64_t bytes,
                   void* user,
                   void*) {
    session(user).on_acked(stream, offset + bytes);
    return 0;
  }

  static int stream_closed(
      ngtcp2_conn*, std::uint32_t, std::int64_t stream, std::uint64_t, void* user, void*) {
    return session(user).on_stream_closed(stream);
  }

  // Nobody resets streams: a transfer is lost only together with its session.
  static int stream_reset(
      ngtcp2_conn*, std::int64_t, std::uint64_t, std::uint64_t, void* user, void*) {
    return session(user).refuse(
        CloseReason::kProtocol, NGTCP2_PROTOCOL_VIOLATION, "the peer reset a stream");
  }
  static int stop_sending(ngtcp2_conn*, std::int64_t, std::uint64_t, void* user, void*) {
    return session(user).refuse(
        CloseReason::kProtocol, NGTCP2_PROTOCOL_VIOLATION, "the peer refused a stream");
  }

  static int stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* user) {
    session(user).was_reset_ = true;
    return 0;
  }
};

ngtcp2_callbacks quic_callbacks(bool dialled) {
  ngtcp2_callbacks table{};
  if (dialled) {
    table.client_initial = ngtcp2_crypto_client_initial_cb;
    table.recv_retry = ngtcp2_crypto_recv_retry_cb;
    table.handshake_confirmed = QuicCallbacks::handshake_confirmed;
  } else {
    table.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
  }
  table.recv_crypto_data = QuicCallbacks::crypto_data;
  set_packet_protection(table);
  table.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
  table.rand = QuicCallbacks::random;
  table.get_new_connection_id = QuicCallbacks::new_connection_id;
  table.remove_connection_id = QuicCallbacks::remove_connection_id;
  table.dcid_status = QuicCallbacks::peer_connection_id;
  table.recv_datagram = QuicCallbacks::datagram;
  table.ack_datagram = QuicCallbacks::probe_acked;
  table.lost_datagram = QuicCallbacks::probe_lost;
  table.get_path_challenge_data = QuicCallbacks::path_challenge;
  table.handshake_completed = QuicCallbacks::handshake_completed;
  table.recv_stream_data = QuicCallbacks::stream_data;
  table.acked_stream_data_offset = QuicCallbacks::acked;
  table.stream_close = QuicCallbacks::stream_closed;
  table.stream_reset = QuicCallbacks::stream_reset;
  table.stream_stop_sending = QuicCallbacks::stop_sending;
  table.recv_stateless_reset = QuicCallbacks::stateless_reset;
  return table;
}

}  // namespace godwit::transport
