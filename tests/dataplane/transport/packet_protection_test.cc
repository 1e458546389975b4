// Packets as RFC 9001 wants them, and our cipher against GnuTLS's.

#include "dataplane/transport/packet_protection.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <gnutls/crypto.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dataplane/transport/vector_cipher.h"
#include "tests/support/hex.h"

namespace godwit::transport {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets hex(std::string_view text) {
  Octets bytes;
  for (const std::byte byte : testing_support::from_hex(text)) {
    bytes.push_back(std::to_integer<std::uint8_t>(byte));
  }
  return bytes;
}

VectorCipher::Key key_of(const Octets& bytes) {
  return VectorCipher::Key(bytes.data(), VectorCipher::kKeyBytes);
}
VectorCipher::Nonce nonce_of(const Octets& bytes) {
  return VectorCipher::Nonce(bytes.data(), VectorCipher::kNonceBytes);
}
gnutls_datum_t datum(const Octets& bytes) {
  return {const_cast<std::uint8_t*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

// What a packet is protected with besides its payload.
struct Around {
  Octets key;
  Octets nonce;
  Octets header;
};

class Cipher {
 public:
  virtual ~Cipher() = default;
  virtual Octets seal(const Around& around, const Octets& payload) const = 0;
  virtual std::optional<Octets> open(const Around& around, const Octets& packet) const = 0;
  virtual Octets mask(const Octets& key, const Octets& sample) const = 0;
};

class Gnutls : public Cipher {
 public:
  Octets seal(const Around& around, const Octets& payload) const override {
    const auto handle = handle_of(around.key);
    Octets out(payload.size() + VectorCipher::kTagBytes);
    std::size_t bytes = out.size();
    EXPECT_EQ(gnutls_aead_cipher_encrypt(handle,
                                         around.nonce.data(),
                                         around.nonce.size(),
                                         around.header.data(),
                                         around.header.size(),
                                         VectorCipher::kTagBytes,
                                         payload.data(),
                                         payload.size(),
                                         out.data(),
                                         &bytes),
              0);
    gnutls_aead_cipher_deinit(handle);
    return out;
  }
  std::optional<Octets> open(const Around& around, const Octets& packet) const override {
    const auto handle = handle_of(around.key);
    Octets out(packet.size());
    std::size_t bytes = out.size();
    const int status = gnutls_aead_cipher_decrypt(handle,
                                                  around.nonce.data(),
                                                  around.nonce.size(),
                                                  around.header.data(),
                                                  around.header.size(),
                                                  VectorCipher::kTagBytes,
                                                  packet.data(),
                                                  packet.size(),
                                                  out.data(),
                                                  &bytes);
    gnutls_aead_cipher_deinit(handle);
    out.resize(bytes);
    return status == 0 ? std::optional(out) : std::nullopt;
  }
  Octets mask(const Octets& key, const Octets& sample) const override {
    gnutls_cipher_hd_t handle = nullptr;
    const gnutls_datum_t secret = datum(key);
    Octets zero(VectorCipher::kSampleBytes);
    const gnutls_datum_t start = datum(zero);
    EXPECT_EQ(gnutls_cipher_init(&handle, GNUTLS_CIPHER_AES_128_CBC, &secret, &start), 0);
    Octets out(sample.size());
    EXPECT_EQ(gnutls_cipher_encrypt2(handle, sample.data(), sample.size(), out.data(), out.size()),
              0);
    gnutls_cipher_deinit(handle);
    out.resize(VectorCipher::kMaskBytes);
    return out;
  }

 private:
  static gnutls_aead_cipher_hd_t handle_of(const Octets& key) {
    gnutls_aead_cipher_hd_t handle = nullptr;
    const gnutls_datum_t secret = datum(key);
    EXPECT_EQ(gnutls_aead_cipher_init(&handle, GNUTLS_CIPHER_AES_128_GCM, &secret), 0);
    return handle;
  }
};

// As the library does it: the result is written where the input lies.
class Ours : public Cipher {
 public:
  Octets seal(const Around& around, const Octets& payload) const override {
    Octets place = payload;
    place.resize(payload.size() + VectorCipher::kTagBytes);
    PacketKey(key_of(around.key))
        .seal({place.data(), payload.size()}, nonce_of(around.nonce), around.header, place.data());
    return place;
  }
  std::optional<Octets> open(const Around& around, const Octets& packet) const override {
    Octets place = packet;
    if (!PacketKey(key_of(around.key))
             .open(place, nonce_of(around.nonce), around.header, place.data())) {
      return std::nullopt;
    }
    place.resize(packet.size() - VectorCipher::kTagBytes);
    return place;
  }
  Octets mask(const Octets& key, const Octets& sample) const override {
    std::array<std::uint8_t, VectorCipher::kMaskBytes> out{};
    HeaderKey(key_of(key))
        .mask(std::span<const std::uint8_t, VectorCipher::kSampleBytes>(sample), out);
    return {out.begin(), out.end()};
  }
};

// Those that this build and this processor have.
std::vector<std::unique_ptr<Cipher>> ciphers() {
  std::vector<std::unique_ptr<Cipher>> all;
  all.push_back(std::make_unique<Gnutls>());
  if (VectorCipher::is_usable()) {
    all.push_back(std::make_unique<Ours>());
  }
  return all;
}

// RFC 9001 appendix A.1: what the server's initial secret gives.
struct Server {
  Octets secret = hex("3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b");
  Octets key = hex("cf3a5331653c364c88f0f379b6067e37");
  Octets iv = hex("0ac1493ca1905853b0bba03e");
  Octets header_key = hex("c206b8d9b9f0f37644430b490eeaa314");
};

// RFC 9001 appendix A.3: the server's first packet, number 1.
struct ServerInitial {
  Around around{.key = Server().key,
                .nonce = hex("0ac1493ca1905853b0bba03f"),
                .header = hex("c1000000010008f067a5502a4262b50040750001")};
  Octets payload = hex(
      "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a"
      "1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da"
      "1a002b00020304");
  Octets packet = hex(
      "5a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcb"
      "a3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f"
      "58891850abbdca3d20398c276456cbc42158407dd074ee");
  Octets sample = hex("2cd0991cd25b0aac406a5816b6394100");
  Octets mask = hex("2ec0d8356a");
};

TEST(PacketSecrets, AreThoseOfTheRfc) {
  const Server server;
  PacketSecrets secrets;
  ASSERT_TRUE(derive(server.secret, secrets));
  EXPECT_TRUE(std::ranges::equal(secrets.key, server.key));
  EXPECT_TRUE(std::ranges::equal(secrets.iv, server.iv));
  EXPECT_TRUE(std::ranges::equal(secrets.header_key, server.header_key));
  // And the client's, appendix A.1.
  ASSERT_TRUE(
      derive(hex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"), secrets));
  EXPECT_TRUE(std::ranges::equal(secrets.key, hex("1f369613dd76d5467730efcbe3b1a22d")));
  EXPECT_TRUE(std::ranges::equal(secrets.iv, hex("fa044b2f42a3fd3b46fb255c")));
  EXPECT_TRUE(std::ranges::equal(secrets.header_key, hex("9f50449e04a0e810283a1e9933adedd2")));
}

TEST(PacketCipher, OursIsUsedWhereItCanBe) {
#if defined(GODWIT_IPSEC_MB)
  EXPECT_EQ(VectorCipher::is_usable(),
            __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0);
#else
  EXPECT_FALSE(VectorCipher::is_usable());
#endif
}

TEST(PacketCipher, SealsAndOpensThePacketOfTheRfc) {
  const ServerInitial initial;
  for (const auto& cipher : ciphers()) {
    EXPECT_EQ(cipher->seal(initial.around, initial.payload), initial.packet);
    EXPECT_EQ(cipher->open(initial.around, initial.packet), initial.payload);
  }
}

TEST(PacketCipher, MasksTheHeadersOfTheRfc) {
  for (const auto& cipher : ciphers()) {
    EXPECT_EQ(cipher->mask(Server().header_key, ServerInitial().sample), ServerInitial().mask);
    // Of the client's first packet, appendix A.2.
    EXPECT_EQ(cipher->mask(hex("9f50449e04a0e810283a1e9933adedd2"),
                           hex("d1b1c98dd7689fb8ec11d242b123dc9b")),
              hex("437b9aec36"));
  }
}

TEST(PacketCipher, RefusesWhatDiffersInAnyByte) {
  const ServerInitial initial;
  for (const auto& cipher : ciphers()) {
    const auto refuses = [&](auto change) {
      Around around = initial.around;
      Octets packet = initial.packet;
      change(around, packet);
      return !cipher->open(around, packet).has_value();
    };
    for (std::size_t at = 0; at < initial.packet.size(); ++at) {
      EXPECT_TRUE(refuses([at](Around&, Octets& packet) { packet[at] ^= 1; })) << at;
    }
    for (std::size_t at = 0; at < initial.around.header.size(); ++at) {
      EXPECT_TRUE(refuses([at](Around& around, Octets&) { around.header[at] ^= 0x80; })) << at;
    }
    EXPECT_TRUE(refuses([](Around& around, Octets&) { around.nonce.back() ^= 1; }));
    EXPECT_TRUE(refuses([](Around& around, Octets&) { around.key.front() ^= 1; }));
    EXPECT_TRUE(refuses([](Around&, Octets& packet) { packet.pop_back(); }));
  }
}

TEST(PacketCipher, RefusesWhatIsTooShortForATag) {
  const ServerInitial initial;
  for (const auto& cipher : ciphers()) {
    for (std::size_t bytes = 0; bytes < VectorCipher::kTagBytes; ++bytes) {
      EXPECT_FALSE(cipher->open(initial.around, Octets(bytes, 7))) << bytes;
    }
  }
}

// Sizes of packets and all below: vector code has other ways for 48 blocks, 16 and fewer.
RC_GTEST_PROP(PacketCipher, AllGiveTheSameBytesForAnySize, ()) {
  const auto bytes = [](std::size_t count) {
    return *rc::gen::container<Octets>(count, rc::gen::arbitrary<std::uint8_t>());
  };
  const Around around{.key = bytes(VectorCipher::kKeyBytes),
                      .nonce = bytes(VectorCipher::kNonceBytes),
                      .header = bytes(*rc::gen::inRange<std::size_t>(1, 64))};
  const Octets payload = bytes(*rc::gen::inRange<std::size_t>(1, 1'600));
  const Octets expected = Gnutls().seal(around, payload);
  for (const auto& cipher : ciphers()) {
    RC_ASSERT(cipher->seal(around, payload) == expected);
    RC_ASSERT(cipher->open(around, expected) == payload);
  }
}

}  // namespace
}  // namespace godwit::transport
