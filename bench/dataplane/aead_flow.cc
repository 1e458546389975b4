#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "bench/dataplane/flow.h"
#include "bench/dataplane/socket.h"
#include "dataplane/base/system_time.h"
#include "dataplane/transport/vector_cipher.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103  // Linux 4.18
#endif
#ifndef UDP_GRO
#define UDP_GRO 104  // Linux 5.0
#endif

namespace godwit::bench {
namespace {

// number (8 bytes, in the clear, authenticated) │ ciphertext │ tag
constexpr std::size_t kPacketBytes = 1452;
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kPayloadBytes = kPacketBytes - kNumberBytes - kTagBytes;
constexpr std::size_t kTrainPackets = 44;
constexpr std::size_t kReceiveBytes = 65'536;
constexpr int kSocketBytes = 16 << 20;
// Nothing acknowledges, so the sender looks at the receiver's count: a quarter of the buffer.
constexpr std::uint64_t kAheadMax = kSocketBytes / 4;

using Nonce = std::array<std::uint8_t, 12>;
constexpr std::array<std::uint8_t, 16> kKey{1, 2, 3};

Nonce nonce_of(std::uint64_t number) {
  Nonce nonce{};
  std::memcpy(nonce.data(), &number, kNumberBytes);
  return nonce;
}

// Both ciphers seal a packet of kPayloadBytes, and open one where it lies: they return its bytes of
// payload, 0 when it is not ours.
class GnuTls {
 public:
  GnuTls() {
    std::array<unsigned char, 16> key = kKey;
    const gnutls_datum_t datum{key.data(), key.size()};
    is_ready_ = gnutls_aead_cipher_init(&handle_, GNUTLS_CIPHER_AES_128_GCM, &datum) == 0;
  }
  ~GnuTls() {
    if (is_ready_) {
      gnutls_aead_cipher_deinit(handle_);
    }
  }
  GnuTls(const GnuTls&) = delete;
  GnuTls& operator=(const GnuTls&) = delete;
  bool is_ready() const { return is_ready_; }

  void seal(std::uint64_t number, const std::byte* payload, std::byte* packet) {
    const Nonce nonce = nonce_of(number);
    std::size_t bytes = kPayloadBytes + kTagBytes;
    gnutls_aead_cipher_encrypt(handle_,
                               nonce.data(),
                               nonce.size(),
                               packet,
                               kNumberBytes,
                               kTagBytes,
                               payload,
                               kPayloadBytes,
                               packet + kNumberBytes,
                               &bytes);
  }
  std::size_t open(std::uint64_t number, std::byte* packet, std::size_t packet_bytes) {
    const Nonce nonce = nonce_of(number);
    std::size_t bytes = packet_bytes - kNumberBytes;
    const int status = gnutls_aead_cipher_decrypt(handle_,
                                                  nonce.data(),
                                                  nonce.size(),
                                                  packet,
                                                  kNumberBytes,
                                                  kTagBytes,
                                                  packet + kNumberBytes,
                                                  packet_bytes - kNumberBytes,
                                                  packet + kNumberBytes,
                                                  &bytes);
    return status == 0 ? bytes : 0;
  }

 private:
  gnutls_aead_cipher_hd_t handle_ = nullptr;
  bool is_ready_ = false;
};

class Vector {
 public:
  static bool is_ready() { return true; }

  void seal(std::uint64_t number, const std::byte* payload, std::byte* packet) {
    key_.seal({octets(payload), kPayloadBytes},
              nonce_of(number),
              {octets(packet), kNumberBytes},
              octets(packet + kNumberBytes));
  }
  std::size_t open(std::uint64_t number, std::byte* packet, std::size_t packet_bytes) {
    std::uint8_t* sealed = octets(packet + kNumberBytes);
    const std::size_t bytes = packet_bytes - kNumberBytes;
    return key_.open({sealed, bytes}, nonce_of(number), {octets(packet), kNumberBytes}, sealed)
               ? bytes - kTagBytes
               : 0;
  }

 private:
  static const std::uint8_t* octets(const std::byte* bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes);
  }
  static std::uint8_t* octets(std::byte* bytes) { return reinterpret_cast<std::uint8_t*>(bytes); }
  transport::PacketKey key_{kKey};
};

template <class Cipher>
class AeadFlow : public Flow {
 public:
  AeadFlow(Descriptor from, Descriptor to) : from_(std::move(from)), to_(std::move(to)) {}
  bool is_ready() const { return sealing_.is_ready() && opening_.is_ready(); }

  void turn(Side side, Effort effort) override {
    if (effort == Effort::kRest) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kTurnWait.count_ns()));
    } else {
      side == Side::kSender ? send() : receive();
    }
  }
  std::uint64_t received() const override { return received_; }

 private:
  void send() {
    if (sent_ > received_ + kAheadMax) {
      wait_for_receiver();
      return;
    }
    for (std::size_t i = 0; i < kTrainPackets; ++i) {
      std::byte* packet = &train_[i * kPacketBytes];
      ++number_;
      std::memcpy(packet, &number_, kNumberBytes);
      sealing_.seal(number_, &payload_[i * kPayloadBytes], packet);
    }
    if (::send(from_.get(), train_.data(), train_.size(), 0) > 0) {
      sent_ += kTrainPackets * kPayloadBytes;
    }
  }

  // Bytes that the kernel dropped will never be counted: forget them when nothing moves.
  void wait_for_receiver() {
    const std::uint64_t before = received_;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    stalled_ = received_ == before ? stalled_ + 1 : 0;
    if (stalled_ > 50) {
      sent_ = before;
      stalled_ = 0;
    }
  }

  void receive() {
    alignas(cmsghdr) std::array<std::byte, 64> control{};
    iovec vector{.iov_base = arrived_.data(), .iov_len = arrived_.size()};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(to_.get(), &header, 0);
    if (got <= 0) {
      return;
    }
    const auto total = static_cast<std::size_t>(got);
    std::uint64_t opened = 0;
    for (std::size_t at = 0; at < total; at += kPacketBytes) {
      const std::size_t bytes = std::min(kPacketBytes, total - at);
      if (bytes > kNumberBytes + kTagBytes) {
        std::uint64_t number = 0;
        std::memcpy(&number, &arrived_[at], kNumberBytes);
        opened += opening_.open(number, &arrived_[at], bytes);
      }
    }
    received_ += opened;
  }

  Descriptor from_;
  Descriptor to_;
  Cipher sealing_;
  Cipher opening_;
  std::vector<std::byte> payload_ = std::vector<std::byte>(kTrainPackets * kPayloadBytes);
  std::vector<std::byte> train_ = std::vector<std::byte>(kTrainPackets * kPacketBytes);
  std::vector<std::byte> arrived_ = std::vector<std::byte>(kReceiveBytes);
  std::uint64_t number_ = 0;
  std::uint64_t sent_ = 0;
  int stalled_ = 0;
  std::atomic<std::uint64_t> received_{0};
};

template <class Cipher>
Result<std::unique_ptr<Flow>> make_flow() {
  auto from = open_socket(SOCK_DGRAM, kTurnWait);
  auto to = open_socket(SOCK_DGRAM, kTurnWait);
  if (!from || !to) {
    return tl::unexpected(!from ? from.error() : to.error());
  }
  if (auto bound = bind_to(*to, port::Peer::v4({127, 0, 0, 1}, 0)); !bound) {
    return tl::unexpected(bound.error());
  }
  const auto address = local_of(*to);
  if (!address) {
    return tl::unexpected(address.error());
  }
  if (auto connected = connect_to(*from, *address); !connected) {
    return tl::unexpected(connected.error());
  }
  if (!set_option(*to, SOL_SOCKET, SO_RCVBUFFORCE, kSocketBytes)) {
    set_option(*to, SOL_SOCKET, SO_RCVBUF, kSocketBytes);
  }
  if (!set_option(*from, IPPROTO_UDP, UDP_SEGMENT, kPacketBytes) ||
      !set_option(*to, IPPROTO_UDP, UDP_GRO, 1)) {
    return system_failure("UDP segmentation by the kernel");
  }
  auto flow = std::make_unique<AeadFlow<Cipher>>(std::move(*from), std::move(*to));
  if (!flow->is_ready()) {
    return fail(Code::kUnsupported, "GnuTLS offers no AES-128-GCM");
  }
  return flow;
}

}  // namespace

Result<std::unique_ptr<Flow>> make_aead_flow() {
  return make_flow<GnuTls>();
}

Result<std::unique_ptr<Flow>> make_own_aead_flow() {
  return transport::VectorCipher::is_usable() ? make_flow<Vector>() : make_flow<GnuTls>();
}

}  // namespace godwit::bench
