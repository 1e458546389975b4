// AES-128-GCM and the mask of packet headers by the processor's vector units, through libipsec-mb.
//
// What TLS_AES_128_GCM_SHA256 asks of a QUIC packet (RFC 9001 sections 5.3 and 5.4.3), byte for
// byte what GnuTLS makes of it, in a third of the time where there are VAES and AVX-512. Not every
// build has the library and not every processor what it needs: ask `VectorCipher::is_usable` first.
//
// Thread: a key may be used by one thread at a time. Memory: keys are wiped when they end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace godwit::transport {

class VectorCipher {
 public:
  static constexpr std::size_t kKeyBytes = 16;
  static constexpr std::size_t kNonceBytes = 12;
  static constexpr std::size_t kTagBytes = 16;
  static constexpr std::size_t kSampleBytes = 16;
  static constexpr std::size_t kMaskBytes = 5;
  using Key = std::span<const std::uint8_t, kKeyBytes>;
  using Nonce = std::span<const std::uint8_t, kNonceBytes>;

  // Whether this build and this processor can; the same for the life of the process.
  static bool is_usable();
};

// The key of one direction's packets.
class PacketKey {
 public:
  // Only where VectorCipher::is_usable.
  explicit PacketKey(VectorCipher::Key key);
  ~PacketKey();
  PacketKey(const PacketKey&) = delete;
  PacketKey& operator=(const PacketKey&) = delete;

  // Writes payload.size() + kTagBytes bytes to `out`, which may be where the payload begins.
  // `header` is authenticated, not encrypted.
  void seal(std::span<const std::uint8_t> payload,
            VectorCipher::Nonce nonce,
            std::span<const std::uint8_t> header,
            std::uint8_t* out) const;
  // Writes sealed.size() - kTagBytes bytes to `out`, which may be where `sealed` begins. False:
  // `sealed` is too short, or not what was sealed with this key, nonce and header; then `out` is
  // not to be read.
  bool open(std::span<const std::uint8_t> sealed,
            VectorCipher::Nonce nonce,
            std::span<const std::uint8_t> header,
            std::uint8_t* out) const;

 private:
  // The library's schedule, gcm_key_data: 1,008 bytes in 1.3. Memory that no header of it shows.
  static constexpr std::size_t kScheduleBytes = 1024;
  alignas(64) std::array<std::byte, kScheduleBytes> schedule_{};
};

// The key of one direction's headers.
class HeaderKey {
 public:
  // Only where VectorCipher::is_usable.
  explicit HeaderKey(VectorCipher::Key key);
  ~HeaderKey();
  HeaderKey(const HeaderKey&) = delete;
  HeaderKey& operator=(const HeaderKey&) = delete;

  // The first bytes of the sample, encrypted as one block.
  void mask(std::span<const std::uint8_t, VectorCipher::kSampleBytes> sample,
            std::span<std::uint8_t, VectorCipher::kMaskBytes> out) const;

 private:
  static constexpr std::size_t kRoundKeyBytes = std::size_t{11} * 16;
  alignas(16) std::array<std::uint8_t, kRoundKeyBytes> round_keys_{};
};

}  // namespace godwit::transport
