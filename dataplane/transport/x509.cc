#include "dataplane/transport/x509.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <limits>
#include <optional>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::transport::x509 {
namespace {

constexpr std::string_view kSiteUri = "godwit://site/";
// More alternative names than this are not read: our own certificates carry two.
constexpr unsigned kNamesMax = 64;

std::string distinguished_name(gnutls_x509_crt_t certificate, bool issuer) {
  std::array<char, 256> text{};
  std::size_t size = text.size();
  const int status = issuer ? gnutls_x509_crt_get_issuer_dn(certificate, text.data(), &size)
                            : gnutls_x509_crt_get_dn(certificate, text.data(), &size);
  return status == 0 ? std::string(text.data()) : std::string();
}

void add_names(gnutls_x509_crt_t certificate,
               gnutls_x509_subject_alt_name_t wanted,
               std::vector<std::string>& sites) {
  for (unsigned index = 0; index < kNamesMax; ++index) {
    std::array<char, 256> text{};
    std::size_t size = text.size();
    const int kind =
        gnutls_x509_crt_get_subject_alt_name(certificate, index, text.data(), &size, nullptr);
    if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
      return;
    }
    if (kind != static_cast<int>(wanted)) {
      continue;
    }
    std::string_view value(text.data(), size);
    if (wanted == GNUTLS_SAN_URI) {
      if (!value.starts_with(kSiteUri)) {
        continue;
      }
      value.remove_prefix(kSiteUri.size());
    }
    if (is_site_name(value) && std::find(sites.begin(), sites.end(), value) == sites.end()) {
      sites.emplace_back(value);
    }
  }
}

// The end of the authority that issued the certificate; nothing when none of these did.
std::optional<std::int64_t> authority_end(gnutls_x509_crt_t certificate,
                                          gnutls_x509_trust_list_t authorities) {
  std::optional<std::int64_t> end;
  gnutls_x509_trust_list_iter_t next = nullptr;
  gnutls_x509_crt_t one = nullptr;
  while (gnutls_x509_trust_list_iter_get_ca(authorities, &next, &one) == 0) {
    const Certificate authority(one);
    unsigned status = 0;
    const bool is_issuer =
        gnutls_x509_crt_check_issuer(certificate, one) == 1 &&
        gnutls_x509_crt_verify(certificate, &one, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) ==
            0 &&
        status == 0;
    if (is_issuer) {
      const std::int64_t its_end = gnutls_x509_crt_get_expiration_time(one);
      end = std::max(end.value_or(its_end), its_end);
    }
  }
  return end;
}

}  // namespace

gnutls_datum_t datum(std::string_view text) {
  return datum(as_bytes(text));
}

gnutls_datum_t datum(std::span<const std::byte> bytes) {
  auto* data = const_cast<std::byte*>(bytes.data());
  return {reinterpret_cast<unsigned char*>(data), static_cast<unsigned>(bytes.size())};
}

Certificate new_certificate() {
  gnutls_x509_crt_t certificate = nullptr;
  const int status = gnutls_x509_crt_init(&certificate);
  GODWIT_ASSERT(status == 0, "out of memory");
  return Certificate(certificate);
}

PrivateKey new_key() {
  gnutls_x509_privkey_t key = nullptr;
  const int status = gnutls_x509_privkey_init(&key);
  GODWIT_ASSERT(status == 0, "out of memory");
  return PrivateKey(key);
}

Result<Certificate> certificate_from_pem(std::string_view pem) {
  auto certificate = new_certificate();
  const gnutls_datum_t data = datum(pem);
  const int status = gnutls_x509_crt_import(certificate.get(), &data, GNUTLS_X509_FMT_PEM);
  if (status != 0) {
    return fail(Code::kInvalid, "not a PEM certificate: {}", gnutls_strerror(status));
  }
  return certificate;
}

Result<Certificate> certificate_from_der(std::span<const std::byte> der) {
  auto certificate = new_certificate();
  const gnutls_datum_t data = datum(der);
  const int status = gnutls_x509_crt_import(certificate.get(), &data, GNUTLS_X509_FMT_DER);
  if (status != 0) {
    return fail(Code::kInvalid, "not a certificate: {}", gnutls_strerror(status));
  }
  return certificate;
}

Result<PrivateKey> key_from_pem(std::string_view pem) {
  auto key = new_key();
  const gnutls_datum_t data = datum(pem);
  const int status = gnutls_x509_privkey_import2(key.get(), &data, GNUTLS_X509_FMT_PEM, nullptr, 0);
  if (status != 0) {
    return fail(Code::kInvalid, "not a PEM private key: {}", gnutls_strerror(status));
  }
  return key;
}

CertificateFacts facts_of(gnutls_x509_crt_t certificate) {
  CertificateFacts facts;
  facts.subject = distinguished_name(certificate, false);
  facts.issuer = distinguished_name(certificate, true);
  add_names(certificate, GNUTLS_SAN_URI, facts.sites);
  add_names(certificate, GNUTLS_SAN_DNSNAME, facts.sites);
  facts.valid_from = gnutls_x509_crt_get_activation_time(certificate);
  facts.valid_until = gnutls_x509_crt_get_expiration_time(certificate);
  std::array<std::uint8_t, 32> digest{};
  std::size_t size = digest.size();
  if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest.data(), &size) == 0) {
    for (const std::uint8_t byte : digest) {
      facts.sha256 += fmt::format("{:02x}", byte);
    }
  }
  return facts;
}

std::int64_t chain_end(std::span<const gnutls_x509_crt_t> chain,
                       gnutls_x509_trust_list_t authorities) {
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  for (gnutls_x509_crt_t certificate : chain) {
    end = std::min<std::int64_t>(end, gnutls_x509_crt_get_expiration_time(certificate));
    if (const auto of_authority = authority_end(certificate, authorities)) {
      return std::min(end, *of_authority);
    }
  }
  return end;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(Code::kIo, "{}: {}", path, error_text(errno));
  }
  // An iterator of the buffer would throw when the system refuses to read, as of a folder.
  std::string text(kFileBytesMax + 1, '\0');
  errno = 0;
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) {
    return fail(Code::kIo, "{}: {}", path, error_text(errno != 0 ? errno : EIO));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileBytesMax) {
    return fail(Code::kInvalid,
                "{}: more than {} bytes, which no certificate or key has",
                path,
                kFileBytesMax);
  }
  return text;
}

}  // namespace godwit::transport::x509
