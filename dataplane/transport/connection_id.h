// QUIC connection ids as keys, and the table by which an endpoint finds a packet's session.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <unordered_map>

#include "dataplane/transport/quic_compat.h"

namespace godwit::transport {

// The length of the ids that we choose, bytes. Eight random bytes do not collide in practice.
inline constexpr std::size_t kConnectionIdBytes = 8;

class ConnectionId {
 public:
  ConnectionId() = default;
  // Ids longer than RFC 9000's 20 bytes are cut; the caller has checked.
  ConnectionId(const std::uint8_t* data, std::size_t size)
      : size_(static_cast<std::uint8_t>(std::min<std::size_t>(size, NGTCP2_MAX_CIDLEN))) {
    if (size_ > 0) {
      std::memcpy(bytes_.data(), data, size_);
    }
  }
  explicit ConnectionId(const ngtcp2_cid& id) : ConnectionId(id.data, id.datalen) {}

  bool operator==(const ConnectionId&) const = default;
  std::size_t hash() const {
    // Every datagram is looked up. The ids that we choose are random, so their bits do as they are;
    // an attacker cannot choose ours, only look for ones that do not exist.
    std::size_t hash = 0;
    std::memcpy(&hash, bytes_.data(), sizeof(hash));
    return hash;
  }

 private:
  std::array<std::uint8_t, NGTCP2_MAX_CIDLEN> bytes_{};
  std::uint8_t size_ = 0;
};

struct ConnectionIdHash {
  std::size_t operator()(const ConnectionId& id) const { return id.hash(); }
};

class QuicSession;
using ConnectionTable = std::unordered_map<ConnectionId, QuicSession*, ConnectionIdHash>;

}  // namespace godwit::transport
