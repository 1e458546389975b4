#include "dataplane/transport/certificate.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/transport/x509.h"

namespace godwit::transport {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
// Clocks of two sites may differ by a few minutes when a certificate is fresh.
constexpr std::int64_t kBackdateSeconds = 300;
constexpr int kDaysMax = 36'500;

// The first failure of a chain of GnuTLS calls.
class Steps {
 public:
  void step(const char* what, int status) {
    if (status < 0 && status_ >= 0) {
      status_ = status;
      what_ = what;
    }
  }
  bool ok() const { return status_ >= 0; }
  Failure failure() const {
    return fail(Code::kInvalid, "cannot {}: {}", what_, gnutls_strerror(status_));
  }

 private:
  int status_ = 0;
  const char* what_ = "";
};

Result<x509::PrivateKey> generate_key(KeyKind kind) {
  auto key = x509::new_key();
  const bool edwards = kind == KeyKind::kEd25519;
  const auto algorithm = edwards ? GNUTLS_PK_EDDSA_ED25519 : GNUTLS_PK_ECDSA;
  const auto curve = edwards ? GNUTLS_ECC_CURVE_ED25519 : GNUTLS_ECC_CURVE_SECP256R1;
  const auto bits = GNUTLS_CURVE_TO_BITS(curve);
  Steps steps;
  steps.step("generate a key", gnutls_x509_privkey_generate(key.get(), algorithm, bits, 0));
  if (!steps.ok()) {
    return steps.failure();
  }
  return key;
}

Result<std::string> export_key(gnutls_x509_privkey_t key) {
  gnutls_datum_t out{};
  const int status =
      gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN, &out);
  if (status != 0) {
    return fail(Code::kInvalid, "cannot write the key: {}", gnutls_strerror(status));
  }
  std::string pem(reinterpret_cast<const char*>(out.data), out.size);
  gnutls_free(out.data);
  return pem;
}

Result<std::string> export_certificate(gnutls_x509_crt_t certificate) {
  gnutls_datum_t out{};
  const int status = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &out);
  if (status != 0) {
    return fail(Code::kInvalid, "cannot write the certificate: {}", gnutls_strerror(status));
  }
  std::string pem(reinterpret_cast<const char*>(out.data), out.size);
  gnutls_free(out.data);
  return pem;
}

// What authority and site certificates have in common.
void fill_common(Steps& steps,
                 gnutls_x509_crt_t certificate,
                 gnutls_x509_privkey_t key,
                 std::string_view common_name,
                 const CertificateOptions& options) {
  std::array<std::uint8_t, 16> serial{};
  steps.step("draw a serial number", gnutls_rnd(GNUTLS_RND_NONCE, serial.data(), serial.size()));
  serial[0] = static_cast<std::uint8_t>((serial[0] & 0x7fU) | 0x40U);  // positive, full length
  steps.step("set the version", gnutls_x509_crt_set_version(certificate, 3));
  steps.step("set the serial number",
             gnutls_x509_crt_set_serial(certificate, serial.data(), serial.size()));
  const std::int64_t until = options.valid_from + options.valid_days * kDaySeconds;
  const std::int64_t from = std::min(options.valid_from - kBackdateSeconds, until - kDaySeconds);
  steps.step("set the validity", gnutls_x509_crt_set_activation_time(certificate, from));
  steps.step("set the validity", gnutls_x509_crt_set_expiration_time(certificate, until));
  steps.step("set the name",
             gnutls_x509_crt_set_dn_by_oid(certificate,
                                           GNUTLS_OID_X520_COMMON_NAME,
                                           0,
                                           common_name.data(),
                                           static_cast<unsigned>(common_name.size())));
  steps.step("set the key", gnutls_x509_crt_set_key(certificate, key));
  std::array<std::uint8_t, 20> key_id{};
  std::size_t key_id_size = key_id.size();
  steps.step("derive the key's id",
             gnutls_x509_crt_get_key_id(certificate, 0, key_id.data(), &key_id_size));
  steps.step("set the key's id",
             gnutls_x509_crt_set_subject_key_id(certificate, key_id.data(), key_id_size));
}

void sign(Steps& steps,
          gnutls_x509_crt_t certificate,
          gnutls_x509_crt_t issuer,
          gnutls_x509_privkey_t issuer_key) {
  const bool edwards = gnutls_x509_privkey_get_pk_algorithm(issuer_key) == GNUTLS_PK_EDDSA_ED25519;
  steps.step(
      "sign the certificate",
      gnutls_x509_crt_sign2(
          certificate, issuer, issuer_key, edwards ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256, 0));
}

Result<PemPair> export_pair(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key) {
  auto certificate_pem = export_certificate(certificate);
  auto key_pem = export_key(key);
  if (!certificate_pem) {
    return tl::unexpected(certificate_pem.error());
  }
  if (!key_pem) {
    return tl::unexpected(key_pem.error());
  }
  return PemPair{std::move(*certificate_pem), std::move(*key_pem)};
}

Result<void> check_options(const CertificateOptions& options) {
  if (options.valid_days > kDaysMax || options.valid_days < -kDaysMax) {
    return fail(Code::kInvalid, "a validity of {} days is more than a century", options.valid_days);
  }
  return {};
}

// Writes a new file; an existing one is left alone and is an error.
Result<void> write_new_file(const std::string& path, std::string_view text, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) {
    return fail(Code::kIo, "{}: {}", path, error_text(errno));
  }
  const ssize_t written = ::write(file, text.data(), text.size());
  const int error = errno;
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  if (written != static_cast<ssize_t>(text.size()) || !synced) {
    ::unlink(path.c_str());
    return fail(Code::kIo, "{}: not written: {}", path, error_text(error));
  }
  return {};
}

Result<void> write_pair(const std::string& stem, const PemPair& pair) {
  constexpr mode_t kSecret = 0600;
  constexpr mode_t kPublic = 0644;
  if (auto written = write_new_file(stem + ".key", pair.key, kSecret); !written) {
    return written;
  }
  if (auto written = write_new_file(stem + ".pem", pair.certificate, kPublic); !written) {
    ::unlink((stem + ".key").c_str());
    return written;
  }
  return {};
}

}  // namespace

bool is_site_name(std::string_view name) {
  return !name.empty() && name.size() <= kSiteNameBytesMax && name.front() != '-' &&
         name.back() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

Result<PemPair> make_authority(std::string_view common_name, const CertificateOptions& options) {
  if (auto checked = check_options(options); !checked) {
    return tl::unexpected(checked.error());
  }
  auto key = generate_key(options.key);
  if (!key) {
    return tl::unexpected(key.error());
  }
  auto certificate = x509::new_certificate();
  Steps steps;
  fill_common(steps, certificate.get(), key->get(), common_name, options);
  // Path length 0: the authority issues sites, not further authorities.
  steps.step("mark an authority", gnutls_x509_crt_set_basic_constraints(certificate.get(), 1, 0));
  steps.step("set the usage",
             gnutls_x509_crt_set_key_usage(certificate.get(),
                                           GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
  sign(steps, certificate.get(), certificate.get(), key->get());
  if (!steps.ok()) {
    return steps.failure();
  }
  return export_pair(certificate.get(), key->get());
}

Result<PemPair> issue_site(const PemPair& authority,
                           std::string_view site,
                           const CertificateOptions& options) {
  if (!is_site_name(site)) {
    return fail(
        Code::kInvalid,
        "'{}' is no site name: 1 to {} of a-z, 0-9 and '-', a letter or a digit first and last",
        site,
        kSiteNameBytesMax);
  }
  if (auto checked = check_options(options); !checked) {
    return tl::unexpected(checked.error());
  }
  auto issuer = x509::certificate_from_pem(authority.certificate);
  auto issuer_key = x509::key_from_pem(authority.key);
  auto key = generate_key(options.key);
  if (!issuer || !issuer_key || !key) {
    return tl::unexpected(!issuer       ? issuer.error()
                          : !issuer_key ? issuer_key.error()
                                        : key.error());
  }
  auto certificate = x509::new_certificate();
  Steps steps;
  fill_common(steps, certificate.get(), key->get(), site, options);
  const std::string uri = fmt::format("godwit://site/{}", site);
  steps.step("set the site's URI",
             gnutls_x509_crt_set_subject_alt_name(certificate.get(),
                                                  GNUTLS_SAN_URI,
                                                  uri.data(),
                                                  static_cast<unsigned>(uri.size()),
                                                  GNUTLS_FSAN_APPEND));
  steps.step("set the site's DNS name",
             gnutls_x509_crt_set_subject_alt_name(certificate.get(),
                                                  GNUTLS_SAN_DNSNAME,
                                                  site.data(),
                                                  static_cast<unsigned>(site.size()),
                                                  GNUTLS_FSAN_APPEND));
  steps.step("mark a site", gnutls_x509_crt_set_basic_constraints(certificate.get(), 0, -1));
  steps.step("set the usage",
             gnutls_x509_crt_set_key_usage(certificate.get(), GNUTLS_KEY_DIGITAL_SIGNATURE));
  for (const char* purpose : {GNUTLS_KP_TLS_WWW_SERVER, GNUTLS_KP_TLS_WWW_CLIENT}) {
    steps.step("set the purpose",
               gnutls_x509_crt_set_key_purpose_oid(certificate.get(), purpose, 0));
  }
  sign(steps, certificate.get(), issuer->get(), issuer_key->get());
  if (!steps.ok()) {
    return steps.failure();
  }
  return export_pair(certificate.get(), key->get());
}

Result<void> create_authority_files(const std::string& folder,
                                    std::string_view common_name,
                                    const CertificateOptions& options) {
  constexpr mode_t kPrivateFolder = 0700;
  if (::mkdir(folder.c_str(), kPrivateFolder) != 0 && errno != EEXIST) {
    return fail(Code::kIo, "{}: {}", folder, error_text(errno));
  }
  const auto authority = make_authority(common_name, options);
  if (!authority) {
    return tl::unexpected(authority.error());
  }
  return write_pair(folder + "/ca", *authority);
}

Result<void> issue_site_files(const std::string& folder,
                              std::string_view site,
                              const CertificateOptions& options) {
  auto certificate = x509::read_file(folder + "/ca.pem");
  auto key = x509::read_file(folder + "/ca.key");
  if (!certificate || !key) {
    return tl::unexpected(certificate ? key.error() : certificate.error());
  }
  // Said here, where the files have names.
  if (const auto read = x509::key_from_pem(*key); !read) {
    return fail(read.error().code, "{}/ca.key: {}", folder, read.error().message);
  }
  if (const auto read = x509::certificate_from_pem(*certificate); !read) {
    return fail(read.error().code, "{}/ca.pem: {}", folder, read.error().message);
  }
  const auto pair = issue_site({std::move(*certificate), std::move(*key)}, site, options);
  if (!pair) {
    return tl::unexpected(pair.error());
  }
  return write_pair(fmt::format("{}/{}", folder, site), *pair);
}

Result<CertificateFacts> read_certificate(std::string_view pem) {
  const auto certificate = x509::certificate_from_pem(pem);
  if (!certificate) {
    return tl::unexpected(certificate.error());
  }
  return x509::facts_of(certificate->get());
}

Result<CertificateFacts> read_certificate_file(const std::string& path) {
  const auto pem = x509::read_file(path);
  if (!pem) {
    return tl::unexpected(pem.error());
  }
  auto facts = read_certificate(*pem);
  if (!facts) {
    return fail(facts.error().code, "{}: {}", path, facts.error().message);
  }
  return facts;
}

}  // namespace godwit::transport
