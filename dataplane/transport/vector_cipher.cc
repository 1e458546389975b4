#include "dataplane/transport/vector_cipher.h"

#include <memory>
#include <new>
#include <optional>

#include <gnutls/gnutls.h>

#include "dataplane/base/assert.h"

#if defined(GODWIT_IPSEC_MB)
#include <intel-ipsec-mb.h>
#endif

namespace godwit::transport {

#if defined(GODWIT_IPSEC_MB)

namespace {

// What we use of the library, chosen for this processor.
struct Code {
  aes_gcm_pre_t prepare;
  aes_gcm_enc_dec_t seal;
  aes_gcm_enc_dec_t open;
  keyexp_t expand;
  aes_cfb_t encrypt_block;
};

// Nothing: not usable. The size of a key's schedule is not the library's to tell at run time and
// has changed under one soname (1.4 wants 256 bytes more), so only the version that we were built
// with will do.
std::optional<Code> choose_code() {
  if (imb_get_version() != IMB_VERSION_NUM) {
    return std::nullopt;
  }
  const std::unique_ptr<IMB_MGR, decltype(&free_mb_mgr)> manager(alloc_mb_mgr(0), free_mb_mgr);
  if (!manager) {
    return std::nullopt;
  }
  IMB_ARCH chosen = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager.get(), &chosen);
  constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
  const bool has_passed = (manager->features & IMB_FEATURE_SELF_TEST) == 0 ||
                          (manager->features & IMB_FEATURE_SELF_TEST_PASS) != 0;
  if (imb_get_errno(manager.get()) != 0 || chosen == IMB_ARCH_NONE || !has_passed ||
      (manager->features & kNeeded) != kNeeded) {
    return std::nullopt;
  }
  return Code{.prepare = manager->gcm128_pre,
              .seal = manager->gcm128_enc,
              .open = manager->gcm128_dec,
              .expand = manager->keyexp_128,
              .encrypt_block = manager->aes128_cfb_one};
}

const std::optional<Code>& code() {
  static const std::optional<Code> kCode = choose_code();
  return kCode;
}

}  // namespace

bool VectorCipher::is_usable() {
  return code().has_value();
}

PacketKey::PacketKey(VectorCipher::Key key) {
  static_assert(sizeof(gcm_key_data) <= kScheduleBytes && alignof(gcm_key_data) <= 64);
  GODWIT_ASSERT(VectorCipher::is_usable());
  code()->prepare(key.data(), new (schedule_.data()) gcm_key_data);
}

PacketKey::~PacketKey() {
  gnutls_memset(schedule_.data(), 0, schedule_.size());
}

void PacketKey::seal(std::span<const std::uint8_t> payload,
                     VectorCipher::Nonce nonce,
                     std::span<const std::uint8_t> header,
                     std::uint8_t* out) const {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the library begins it with each packet.
  gcm_context_data context;
  code()->seal(std::launder(reinterpret_cast<const gcm_key_data*>(schedule_.data())),
               &context,
               out,
               payload.data(),
               payload.size(),
               nonce.data(),
               header.data(),
               header.size(),
               out + payload.size(),
               VectorCipher::kTagBytes);
}

bool PacketKey::open(std::span<const std::uint8_t> sealed,
                     VectorCipher::Nonce nonce,
                     std::span<const std::uint8_t> header,
                     std::uint8_t* out) const {
  if (sealed.size() < VectorCipher::kTagBytes) {
    return false;
  }
  const auto payload = sealed.first(sealed.size() - VectorCipher::kTagBytes);
  const auto told = sealed.subspan(payload.size());
  std::array<std::uint8_t, VectorCipher::kTagBytes> tag{};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the library begins it with each packet.
  gcm_context_data context;
  code()->open(std::launder(reinterpret_cast<const gcm_key_data*>(schedule_.data())),
               &context,
               out,
               payload.data(),
               payload.size(),
               nonce.data(),
               header.data(),
               header.size(),
               tag.data(),
               tag.size());
  return gnutls_memcmp(tag.data(), told.data(), tag.size()) == 0;
}

HeaderKey::HeaderKey(VectorCipher::Key key) {
  GODWIT_ASSERT(VectorCipher::is_usable());
  alignas(16) std::array<std::uint8_t, kRoundKeyBytes> decrypting{};
  code()->expand(key.data(), round_keys_.data(), decrypting.data());
  gnutls_memset(decrypting.data(), 0, decrypting.size());
}

HeaderKey::~HeaderKey() {
  gnutls_memset(round_keys_.data(), 0, round_keys_.size());
}

// The library encrypts a single block in CFB mode only: its output is the encrypted initialisation
// vector xor the input, which is zero.
void HeaderKey::mask(std::span<const std::uint8_t, VectorCipher::kSampleBytes> sample,
                     std::span<std::uint8_t, VectorCipher::kMaskBytes> out) const {
  constexpr std::array<std::uint8_t, VectorCipher::kMaskBytes> kZero{};
  code()->encrypt_block(out.data(), kZero.data(), sample.data(), round_keys_.data(), out.size());
}

#else

bool VectorCipher::is_usable() {
  return false;
}

PacketKey::PacketKey(VectorCipher::Key) {
  GODWIT_ASSERT(false, "built without libipsec-mb");
}
PacketKey::~PacketKey() = default;
void PacketKey::seal(std::span<const std::uint8_t>,
                     VectorCipher::Nonce,
                     std::span<const std::uint8_t>,
                     std::uint8_t*) const {}
bool PacketKey::open(std::span<const std::uint8_t>,
                     VectorCipher::Nonce,
                     std::span<const std::uint8_t>,
                     std::uint8_t*) const {
  return false;
}

HeaderKey::HeaderKey(VectorCipher::Key) {
  GODWIT_ASSERT(false, "built without libipsec-mb");
}
HeaderKey::~HeaderKey() = default;
void HeaderKey::mask(std::span<const std::uint8_t, VectorCipher::kSampleBytes>,
                     std::span<std::uint8_t, VectorCipher::kMaskBytes>) const {}

#endif

}  // namespace godwit::transport
