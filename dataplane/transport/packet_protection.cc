#include "dataplane/transport/packet_protection.h"

#include <algorithm>
#include <string_view>

#include <gnutls/crypto.h>

#include "dataplane/base/assert.h"

namespace godwit::transport {
namespace {

constexpr std::size_t kOurs = 1;

// A handle is the address of a place in ConnectionKeys, plus one. nullptr: no place is free.
template <class Places>
void* handle_of(Places& places, VectorCipher::Key key) {
  const auto place =
      std::find_if(places.begin(), places.end(), [](const auto& one) { return !one.has_value(); });
  if (place == places.end()) {
    return nullptr;
  }
  place->emplace(key);
  return reinterpret_cast<std::byte*>(&*place) + kOurs;
}

bool is_ours(const void* handle) {
  return (reinterpret_cast<std::uintptr_t>(handle) & kOurs) != 0;
}

template <class Key>
std::optional<Key>& place_of(void* handle) {
  return *reinterpret_cast<std::optional<Key>*>(static_cast<std::byte*>(handle) - kOurs);
}

VectorCipher::Nonce nonce_of(const std::uint8_t* nonce, std::size_t bytes) {
  GODWIT_ASSERT(bytes == VectorCipher::kNonceBytes);
  return VectorCipher::Nonce(nonce, VectorCipher::kNonceBytes);
}

// NOLINTNEXTLINE(readability-function-size): the library says which arguments.
int encrypt(std::uint8_t* out,
            const ngtcp2_crypto_aead* aead,
            const ngtcp2_crypto_aead_ctx* context,
            const std::uint8_t* payload,
            std::size_t payload_bytes,
            const std::uint8_t* nonce,
            std::size_t nonce_bytes,
            const std::uint8_t* header,
            std::size_t header_bytes) {
  if (!is_ours(context->native_handle)) {
    return ngtcp2_crypto_encrypt_cb(
        out, aead, context, payload, payload_bytes, nonce, nonce_bytes, header, header_bytes);
  }
  place_of<PacketKey>(context->native_handle)
      ->seal({payload, payload_bytes}, nonce_of(nonce, nonce_bytes), {header, header_bytes}, out);
  return 0;
}

// NOLINTNEXTLINE(readability-function-size): the library says which arguments.
int decrypt(std::uint8_t* out,
            const ngtcp2_crypto_aead* aead,
            const ngtcp2_crypto_aead_ctx* context,
            const std::uint8_t* sealed,
            std::size_t sealed_bytes,
            const std::uint8_t* nonce,
            std::size_t nonce_bytes,
            const std::uint8_t* header,
            std::size_t header_bytes) {
  if (!is_ours(context->native_handle)) {
    return ngtcp2_crypto_decrypt_cb(
        out, aead, context, sealed, sealed_bytes, nonce, nonce_bytes, header, header_bytes);
  }
  const bool is_genuine =
      place_of<PacketKey>(context->native_handle)
          ->open({sealed, sealed_bytes}, nonce_of(nonce, nonce_bytes), {header, header_bytes}, out);
  return is_genuine ? 0 : NGTCP2_ERR_DECRYPT;
}

int mask_header(std::uint8_t* out,
                const ngtcp2_crypto_cipher* cipher,
                const ngtcp2_crypto_cipher_ctx* context,
                const std::uint8_t* sample) {
  if (!is_ours(context->native_handle)) {
    return ngtcp2_crypto_hp_mask_cb(out, cipher, context, sample);
  }
  using Sample = std::span<const std::uint8_t, VectorCipher::kSampleBytes>;
  using Mask = std::span<std::uint8_t, VectorCipher::kMaskBytes>;
  place_of<HeaderKey>(context->native_handle)
      ->mask(Sample(sample, VectorCipher::kSampleBytes), Mask(out, VectorCipher::kMaskBytes));
  return 0;
}

void end_packet_key(ngtcp2_conn* connection, ngtcp2_crypto_aead_ctx* context, void* user) {
  if (!is_ours(context->native_handle)) {
    ngtcp2_crypto_delete_crypto_aead_ctx_cb(connection, context, user);
    return;
  }
  place_of<PacketKey>(context->native_handle).reset();
  context->native_handle = nullptr;
}

void end_header_key(ngtcp2_conn* connection, ngtcp2_crypto_cipher_ctx* context, void* user) {
  if (!is_ours(context->native_handle)) {
    ngtcp2_crypto_delete_crypto_cipher_ctx_cb(connection, context, user);
    return;
  }
  place_of<HeaderKey>(context->native_handle).reset();
  context->native_handle = nullptr;
}

ConnectionReference& reference_of(gnutls_session_t session) {
  return *static_cast<ConnectionReference*>(gnutls_session_get_ptr(session));
}

// Whether this connection's 1-RTT packets are ours to protect; the same from its first such key on.
bool protects(ngtcp2_conn* connection, gnutls_session_t session) {
  return VectorCipher::is_usable() && gnutls_cipher_get(session) == GNUTLS_CIPHER_AES_128_GCM &&
         ngtcp2_conn_get_negotiated_version(connection) == NGTCP2_PROTO_VER_V1;
}

// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
bool expand(std::span<const std::uint8_t> secret,
            std::string_view label,
            std::span<std::uint8_t> out) {
  constexpr std::string_view kPrefix = "tls13 ";
  std::array<std::uint8_t, 32> info{};
  const std::size_t label_bytes = kPrefix.size() + label.size();
  GODWIT_ASSERT(4 + label_bytes <= info.size() && out.size() < 256);
  info[1] = static_cast<std::uint8_t>(out.size());
  info[2] = static_cast<std::uint8_t>(label_bytes);
  std::copy(kPrefix.begin(), kPrefix.end(), info.begin() + 3);
  std::copy(label.begin(), label.end(), info.begin() + 3 + kPrefix.size());
  const gnutls_datum_t key{const_cast<std::uint8_t*>(secret.data()),
                           static_cast<unsigned>(secret.size())};
  const gnutls_datum_t about{info.data(), static_cast<unsigned>(4 + label_bytes)};
  return gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &about, out.data(), out.size()) == 0;
}

enum class Direction : std::uint8_t {
  kIn,
  kOut,
};

int install(ngtcp2_conn* connection,
            ConnectionKeys& keys,
            Direction direction,
            std::span<const std::uint8_t> secret) {
  PacketSecrets secrets;
  if (!derive(secret, secrets)) {
    return -1;
  }
  ngtcp2_crypto_aead_ctx packets{handle_of(keys.packets, secrets.key)};
  ngtcp2_crypto_cipher_ctx headers{handle_of(keys.headers, secrets.header_key)};
  const auto hand_over =
      direction == Direction::kIn ? ngtcp2_conn_install_rx_key : ngtcp2_conn_install_tx_key;
  const bool is_done = packets.native_handle != nullptr && headers.native_handle != nullptr &&
                       hand_over(connection,
                                 secret.data(),
                                 secret.size(),
                                 &packets,
                                 secrets.iv.data(),
                                 secrets.iv.size(),
                                 &headers) == 0;
  if (!is_done) {
    end_packet_key(connection, &packets, nullptr);
    end_header_key(connection, &headers, nullptr);
  }
  return is_done ? 0 : -1;
}

// A key that the library has derived; wiped when it ends.
struct DerivedKey {
  static constexpr std::size_t kBytesMax = 64;  // the library's own buffers
  DerivedKey() = default;
  ~DerivedKey() { gnutls_memset(bytes.data(), 0, bytes.size()); }
  DerivedKey(const DerivedKey&) = delete;
  DerivedKey& operator=(const DerivedKey&) = delete;
  std::array<std::uint8_t, kBytesMax> bytes{};
};

// The secrets and keys of the next phase (RFC 9001 section 6.1). The library makes GnuTLS's keys
// besides, which ours take the place of.
// NOLINTNEXTLINE(readability-function-size): the library says which arguments.
int make_next_phase(ngtcp2_conn* connection,
                    std::uint8_t* rx_secret,
                    std::uint8_t* tx_secret,
                    ngtcp2_crypto_aead_ctx* rx_context,
                    std::uint8_t* rx_iv,
                    ngtcp2_crypto_aead_ctx* tx_context,
                    std::uint8_t* tx_iv,
                    const std::uint8_t* rx_present,
                    const std::uint8_t* tx_present,
                    std::size_t secret_bytes,
                    void* /*user*/) {
  DerivedKey rx_key;
  DerivedKey tx_key;
  if (ngtcp2_crypto_update_key(connection,
                               rx_secret,
                               tx_secret,
                               rx_context,
                               rx_key.bytes.data(),
                               rx_iv,
                               tx_context,
                               tx_key.bytes.data(),
                               tx_iv,
                               rx_present,
                               tx_present,
                               secret_bytes) != 0) {
    return NGTCP2_ERR_CALLBACK_FAILURE;
  }
  auto* const session =
      static_cast<gnutls_session_t>(ngtcp2_conn_get_tls_native_handle(connection));
  ConnectionKeys& keys = reference_of(session).keys;
  ++keys.phases_made;
  if (protects(connection, session)) {
    const auto replace = [&](ngtcp2_crypto_aead_ctx* context, const DerivedKey& key) {
      void* const ours =
          handle_of(keys.packets, std::span(key.bytes).first<VectorCipher::kKeyBytes>());
      GODWIT_ASSERT(ours != nullptr, "the library keeps five keys at most");
      ngtcp2_crypto_aead_ctx_free(context);
      context->native_handle = ours;
    };
    replace(rx_context, rx_key);
    replace(tx_context, tx_key);
  }
  return 0;
}

// GnuTLS's: `incoming` or `outgoing` may be null, the result is 0 or ends the handshake.
int on_secrets(gnutls_session_t session,
               gnutls_record_encryption_level_t at,
               const void* incoming,
               const void* outgoing,
               std::size_t bytes) {
  ConnectionReference& reference = reference_of(session);
  ngtcp2_conn* const connection = reference.library.get_conn(&reference.library);
  const auto* const rx = static_cast<const std::uint8_t*>(incoming);
  const auto* const tx = static_cast<const std::uint8_t*>(outgoing);
  if (at == GNUTLS_ENCRYPTION_LEVEL_APPLICATION && protects(connection, session)) {
    const auto ours = [&](Direction direction, const std::uint8_t* secret) {
      return secret == nullptr ||
             install(connection, reference.keys, direction, {secret, bytes}) == 0;
    };
    return ours(Direction::kIn, rx) && ours(Direction::kOut, tx) ? 0 : -1;
  }
  const quic::CryptoLevel level = ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(at);
  const auto library = [&](auto derive_and_install, const std::uint8_t* secret) {
    return secret == nullptr ||
           derive_and_install(connection, nullptr, nullptr, nullptr, level, secret, bytes) == 0;
  };
  return library(ngtcp2_crypto_derive_and_install_rx_key, rx) &&
                 library(ngtcp2_crypto_derive_and_install_tx_key, tx)
             ? 0
             : -1;
}

}  // namespace

void set_packet_protection(ngtcp2_callbacks& table) {
  table.encrypt = encrypt;
  table.decrypt = decrypt;
  table.hp_mask = mask_header;
  table.update_key = make_next_phase;
  table.delete_crypto_aead_ctx = end_packet_key;
  table.delete_crypto_cipher_ctx = end_header_key;
}

void take_secrets(gnutls_session_t session) {
  gnutls_handshake_set_secret_function(session, on_secrets);
}

bool derive(std::span<const std::uint8_t> secret, PacketSecrets& out) {
  return expand(secret, "quic key", out.key) && expand(secret, "quic iv", out.iv) &&
         expand(secret, "quic hp", out.header_key);
}

}  // namespace godwit::transport
