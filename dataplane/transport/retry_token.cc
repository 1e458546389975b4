#include "dataplane/transport/retry_token.h"

namespace godwit::transport {
namespace {

const ngtcp2_sockaddr* library_address(const sockaddr_storage& address) {
  return reinterpret_cast<const ngtcp2_sockaddr*>(&address);
}

}  // namespace

std::vector<std::uint8_t> RetryToken::seal(Instant now,
                                           Secret secret,
                                           const port::Peer& to,
                                           const ngtcp2_cid& ours,
                                           const ngtcp2_cid& original) {
  std::vector<std::uint8_t> token(NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN);
  sockaddr_storage address{};
  const socklen_t address_bytes = to.to_sockaddr(address);
  const ngtcp2_ssize written =
      ngtcp2_crypto_generate_retry_token(token.data(),
                                         secret.data(),
                                         secret.size(),
                                         NGTCP2_PROTO_VER_V1,
                                         library_address(address),
                                         address_bytes,
                                         &ours,
                                         &original,
                                         static_cast<ngtcp2_tstamp>(now.ns()));
  token.resize(written > 0 ? static_cast<std::size_t>(written) : 0);
  return token;
}

std::optional<ngtcp2_cid> RetryToken::open(Instant now,
                                           Secret secret,
                                           const port::Peer& from,
                                           const ngtcp2_cid& ours,
                                           std::span<const std::uint8_t> token) {
  sockaddr_storage address{};
  const socklen_t address_bytes = from.to_sockaddr(address);
  ngtcp2_cid original{};
  const int status =
      ngtcp2_crypto_verify_retry_token(&original,
                                       token.data(),
                                       token.size(),
                                       secret.data(),
                                       secret.size(),
                                       NGTCP2_PROTO_VER_V1,
                                       library_address(address),
                                       address_bytes,
                                       &ours,
                                       static_cast<ngtcp2_duration>(kLifetime.count_ns()),
                                       static_cast<ngtcp2_tstamp>(now.ns()));
  return status == 0 ? std::optional(original) : std::nullopt;
}

}  // namespace godwit::transport
