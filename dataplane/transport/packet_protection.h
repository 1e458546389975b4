// Which code protects a connection's packets: our vector code or the QUIC library's, by GnuTLS.
//
//     GnuTLS ──secrets──▶ take_secrets ─┬─ 1-RTT, AES-128-GCM, QUIC 1 ──▶ PacketKey, HeaderKey
//     handshake                         └─ everything else ─────────────▶ GnuTLS's ciphers
//
// The TLS handshake, its packets and all derivation of secrets stay with GnuTLS. The library holds
// a key as a pointer and hands it back with each packet; ours are told from GnuTLS's by the lowest
// bit, which is clear in whatever malloc returns.
//
// Memory: a connection's keys live in its ConnectionKeys; a change of keys allocates none of ours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <gnutls/gnutls.h>

#include "dataplane/transport/quic_compat.h"
#include "dataplane/transport/vector_cipher.h"

namespace godwit::transport {

// Room for the keys of one connection; must outlive it.
struct ConnectionKeys {
  // Out: present and next. In: present and next, and the last one while packets of it may come.
  std::array<std::optional<PacketKey>, 5> packets;
  std::array<std::optional<HeaderKey>, 2> headers;
  std::uint64_t phases_made = 0;  // key phases behind the handshake's, whoever makes their keys
};

// What the TLS session's pointer leads to. The library looks at the first member only.
struct ConnectionReference {
  ngtcp2_crypto_conn_ref library{};
  ConnectionKeys keys;
};

// Sets the callbacks that encrypt, decrypt, mask headers, and make and end keys. The pointer of the
// connection's TLS session must be a ConnectionReference.
void set_packet_protection(ngtcp2_callbacks& table);

// Has the keys of `session` made here; after the library has configured it.
void take_secrets(gnutls_session_t session);

// What one secret gives for packets (RFC 9001 section 5.1, SHA-256); false: GnuTLS refused. Wiped
// when it ends.
struct PacketSecrets {
  PacketSecrets() = default;
  ~PacketSecrets() { gnutls_memset(this, 0, sizeof *this); }
  PacketSecrets(const PacketSecrets&) = delete;
  PacketSecrets& operator=(const PacketSecrets&) = delete;

  std::array<std::uint8_t, VectorCipher::kKeyBytes> key{};
  std::array<std::uint8_t, VectorCipher::kNonceBytes> iv{};
  std::array<std::uint8_t, VectorCipher::kKeyBytes> header_key{};
};
bool derive(std::span<const std::uint8_t> secret, PacketSecrets& out);

}  // namespace godwit::transport
