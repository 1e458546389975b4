#include "dataplane/transport/tls_context.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <gnutls/crypto.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/system_time.h"
#include "dataplane/transport/tls_credentials.h"
#include "dataplane/transport/x509.h"

namespace godwit::transport {
namespace {

// TLS alerts, RFC 8446 section 6.2.
constexpr std::uint8_t kBadCertificate = 42;
constexpr std::uint8_t kCertificateExpired = 45;
constexpr std::uint8_t kUnknownAuthority = 48;
constexpr std::uint8_t kAccessDenied = 49;
constexpr std::uint8_t kCertificateRequired = 116;

// Longer chains than leaf, two intermediates and a root are refused.
constexpr std::size_t kChainMax = 4;

Verdict refused(CloseReason reason, std::uint8_t alert, std::string text) {
  return {.reason = reason, .alert = alert, .text = std::move(text), .identity = {}};
}

std::string joined(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) {
    text += text.empty() ? name : ", " + name;
  }
  return text.empty() ? "(none)" : text;
}

Result<std::array<std::uint8_t, 32>> secret_from(const std::string& key_pem,
                                                 std::string_view purpose) {
  std::array<std::uint8_t, 32> secret{};
  const int status = gnutls_hmac_fast(GNUTLS_MAC_SHA256,
                                      purpose.data(),
                                      purpose.size(),
                                      key_pem.data(),
                                      key_pem.size(),
                                      secret.data());
  if (status != 0) {
    return fail(Code::kInvalid, "cannot derive a secret: {}", gnutls_strerror(status));
  }
  return secret;
}

// GnuTLS accepts a pair that does not fit and fails in the handshake; this finds it at the start.
Result<void> check_pair(const PemPair& pair) {
  const auto certificate = x509::certificate_from_pem(pair.certificate);
  const auto key = x509::key_from_pem(pair.key);
  if (!certificate || !key) {
    return tl::unexpected(certificate ? key.error() : certificate.error());
  }
  std::array<std::uint8_t, 32> of_certificate{};
  std::array<std::uint8_t, 32> of_key{};
  std::size_t size = of_certificate.size();
  int status = gnutls_x509_crt_get_key_id(
      certificate->get(), GNUTLS_KEYID_USE_SHA256, of_certificate.data(), &size);
  size = of_key.size();
  if (status == 0) {
    status =
        gnutls_x509_privkey_get_key_id(key->get(), GNUTLS_KEYID_USE_SHA256, of_key.data(), &size);
  }
  if (status != 0 || of_certificate != of_key) {
    return fail(Code::kInvalid, "the key does not belong to the certificate");
  }
  return {};
}

// Of the certificates in the own file, which may name intermediate authorities.
std::int64_t own_chain_end(gnutls_certificate_credentials_t own,
                           gnutls_x509_trust_list_t authorities) {
  gnutls_x509_crt_t* list = nullptr;
  unsigned count = 0;
  const int status = gnutls_certificate_get_x509_crt(own, 0, &list, &count);
  GODWIT_ASSERT(status == 0, "the certificate was loaded");
  const std::int64_t end = x509::chain_end({list, std::size_t{count}}, authorities);
  for (unsigned index = 0; index < count; ++index) {
    gnutls_x509_crt_deinit(list[index]);
  }
  gnutls_free(list);
  return end;
}

}  // namespace

TlsContext::TlsContext(TlsOptions options) : options_(options) {}

TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsFiles& files, TlsOptions options) {
  auto context = std::unique_ptr<TlsContext>(new TlsContext(options));
  context->files_ = files;
  if (auto loaded = context->reload(); !loaded) {
    return tl::unexpected(loaded.error());
  }
  return context;
}

Result<std::unique_ptr<TlsContext>> TlsContext::from_pem(const std::string& authority_pem,
                                                         const PemPair& own,
                                                         TlsOptions options) {
  auto context = std::unique_ptr<TlsContext>(new TlsContext(options));
  if (auto installed = context->install(authority_pem, own, {}); !installed) {
    return tl::unexpected(installed.error());
  }
  return context;
}

Result<void> TlsContext::reload(std::string_view site) {
  if (files_.certificate.empty()) {
    return fail(Code::kInvalid, "these credentials did not come from files");
  }
  auto authority = x509::read_file(files_.authority);
  auto certificate = x509::read_file(files_.certificate);
  auto key = x509::read_file(files_.key);
  if (!authority || !certificate || !key) {
    return tl::unexpected(!authority     ? authority.error()
                          : !certificate ? certificate.error()
                                         : key.error());
  }
  auto installed = install(*authority, {std::move(*certificate), std::move(*key)}, site);
  if (!installed) {
    return fail(installed.error().code,
                "{} ({}, {}): {}",
                files_.certificate,
                files_.key,
                files_.authority,
                installed.error().message);
  }
  return {};
}

Result<void> TlsContext::install(const std::string& authority_pem,
                                 const PemPair& own,
                                 std::string_view site) {
  auto fresh = std::make_unique<Credentials>();
  if (gnutls_certificate_allocate_credentials(&fresh->handle) != 0) {
    return fail(Code::kIo, "out of memory");
  }
  const auto facts = read_certificate(own.certificate);
  if (!facts) {
    return tl::unexpected(facts.error());
  }
  if (auto checked = check_pair(own); !checked) {
    return checked;
  }
  fresh->own = *facts;
  if (fresh->own.sites.empty()) {
    return fail(Code::kInvalid,
                "the certificate names no site (no godwit://site/ URI, no DNS name)");
  }
  const auto& sites = fresh->own.sites;
  if (!site.empty() && std::find(sites.begin(), sites.end(), site) == sites.end()) {
    return fail(Code::kRefused, "is the certificate of {}, not of \"{}\"", joined(sites), site);
  }
  if (fresh->own.valid_until < unix_seconds()) {
    return fail(Code::kInvalid,
                "the certificate of {} has expired; issue a new one",
                joined(fresh->own.sites));
  }
  const gnutls_datum_t certificate = x509::datum(own.certificate);
  const gnutls_datum_t key = x509::datum(own.key);
  int status =
      gnutls_certificate_set_x509_key_mem(fresh->handle, &certificate, &key, GNUTLS_X509_FMT_PEM);
  if (status != 0) {
    return fail(Code::kInvalid, "certificate and key: {}", gnutls_strerror(status));
  }
  const gnutls_datum_t authority = x509::datum(authority_pem);
  status = gnutls_certificate_set_x509_trust_mem(fresh->handle, &authority, GNUTLS_X509_FMT_PEM);
  gnutls_x509_trust_list_t list = nullptr;
  GODWIT_ASSERT(gnutls_x509_trust_list_init(&list, 0) == 0, "out of memory");
  fresh->authorities.reset(list);
  const int added =
      gnutls_x509_trust_list_add_trust_mem(list, &authority, nullptr, GNUTLS_X509_FMT_PEM, 0, 0);
  if (status <= 0 || added <= 0) {
    return fail(Code::kInvalid, "the authority's file holds no certificate");
  }
  fresh->own.valid_until = own_chain_end(fresh->handle, fresh->authorities.get());
  if (fresh->own.valid_until < unix_seconds()) {
    return fail(Code::kInvalid,
                "the authority that issued the certificate of {} has expired; make a new one",
                joined(sites));
  }
  const auto reset_secret = secret_from(own.key, "godwit stateless reset 1");
  const auto token_secret = secret_from(own.key, "godwit retry token 1");
  if (!reset_secret || !token_secret) {
    return tl::unexpected(reset_secret ? token_secret.error() : reset_secret.error());
  }
  fresh->reset_secret = *reset_secret;
  fresh->token_secret = *token_secret;
  std::erase_if(generations_, [](const auto& old) { return old->users == 0; });
  generations_.push_back(std::move(fresh));
  return {};
}

const CertificateFacts& TlsContext::own() const {
  return generations_.back()->own;
}

std::int64_t TlsContext::unix_seconds() const {
  return options_.unix_seconds != nullptr ? options_.unix_seconds() : system_unix_seconds();
}

const std::array<std::uint8_t, 32>& TlsContext::reset_secret() const {
  return generations_.back()->reset_secret;
}

const std::array<std::uint8_t, 32>& TlsContext::token_secret() const {
  return generations_.back()->token_secret;
}

Verdict TlsContext::judge(std::span<const std::span<const std::byte>> chain,
                          std::span<const std::string> allowed,
                          bool dialled) const {
  if (chain.empty()) {
    return refused(
        CloseReason::kCertificateMissing, kCertificateRequired, "the peer showed no certificate");
  }
  if (chain.size() > kChainMax) {
    return refused(CloseReason::kCertificateUntrusted,
                   kBadCertificate,
                   fmt::format("a chain of {} certificates is too long", chain.size()));
  }
  std::vector<x509::Certificate> certificates;
  std::vector<gnutls_x509_crt_t> handles;
  for (const auto& der : chain) {
    auto certificate = x509::certificate_from_der(der);
    if (!certificate) {
      return refused(
          CloseReason::kCertificateMissing, kBadCertificate, certificate.error().message);
    }
    handles.push_back(certificate->get());
    certificates.push_back(std::move(*certificate));
  }
  const CertificateFacts facts = x509::facts_of(handles.front());
  unsigned status = 0;
  // Times are judged below, against our own clock and with a name for each case.
  const int verified = gnutls_x509_trust_list_verify_crt(
      generations_.back()->authorities.get(),
      handles.data(),
      static_cast<unsigned>(handles.size()),
      GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS,
      &status,
      nullptr);
  if (verified != 0 || status != 0) {
    return refused(
        CloseReason::kCertificateUntrusted,
        kUnknownAuthority,
        fmt::format("untrusted issuer '{}' of the certificate '{}'", facts.issuer, facts.subject));
  }
  const std::int64_t now = unix_seconds();
  for (gnutls_x509_crt_t certificate : handles) {
    if (gnutls_x509_crt_get_expiration_time(certificate) < now) {
      return refused(CloseReason::kCertificateExpired,
                     kCertificateExpired,
                     fmt::format("expired certificate of site {}: its validity ended {} s ago",
                                 joined(facts.sites),
                                 now - gnutls_x509_crt_get_expiration_time(certificate)));
    }
    if (gnutls_x509_crt_get_activation_time(certificate) > now) {
      return refused(CloseReason::kCertificateNotYetValid,
                     kCertificateExpired,
                     fmt::format("certificate of site {} is valid only in {} s; compare the clocks",
                                 joined(facts.sites),
                                 gnutls_x509_crt_get_activation_time(certificate) - now));
    }
  }
  const std::int64_t end = x509::chain_end(handles, generations_.back()->authorities.get());
  if (end < now) {
    return refused(CloseReason::kCertificateExpired,
                   kCertificateExpired,
                   fmt::format("expired authority of the certificate of site {}: its validity "
                               "ended {} s ago",
                               joined(facts.sites),
                               now - end));
  }
  const auto site =
      std::find_first_of(facts.sites.begin(), facts.sites.end(), allowed.begin(), allowed.end());
  if (site == facts.sites.end()) {
    return refused(dialled ? CloseReason::kWrongSite : CloseReason::kUnknownSite,
                   kAccessDenied,
                   fmt::format("wrong site {}, expected {}", joined(facts.sites), joined(allowed)));
  }
  Verdict verdict;
  verdict.identity = {.site = *site, .valid_until = end, .certificate_sha256 = facts.sha256};
  return verdict;
}

}  // namespace godwit::transport
