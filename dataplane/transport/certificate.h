// Makes a private authority and site certificates, for `godwit cert init` and `godwit cert issue`.
//
// A site's certificate carries its name as the URI `godwit://site/<name>` and as a DNS name; the
// transport believes nothing else about a peer. Keys are written with mode 0600; existing files
// are never overwritten.
//
// Thread: any. Time: validity begins at the caller's `now` (seconds since 1970 UTC).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::transport {

enum class KeyKind : std::uint8_t {
  kEd25519,
  kP256
};

struct CertificateOptions {
  KeyKind key = KeyKind::kEd25519;
  int valid_days = 365;         // 1 .. 36,500; may be negative in tests (already expired)
  std::int64_t valid_from = 0;  // seconds since 1970 UTC; backdated by five minutes for skew
};

struct PemPair {
  std::string certificate;  // PEM text
  std::string key;          // PEM text (PKCS#8), secret
};

inline constexpr std::size_t kSiteNameBytesMax = 32;  // chosen: a column of a table

// A site's name: 1 to kSiteNameBytesMax of a-z, 0-9 and '-', a letter or a digit first and last, so
// that it is also a DNS label (RFC 1035 section 2.3.4).
bool is_site_name(std::string_view name);

// In memory, for tests and the simulator.
Result<PemPair> make_authority(std::string_view common_name, const CertificateOptions& options);
Result<PemPair> issue_site(const PemPair& authority,
                           std::string_view site,
                           const CertificateOptions& options);

// `<folder>/ca.pem`, `<folder>/ca.key`.
Result<void> create_authority_files(const std::string& folder,
                                    std::string_view common_name,
                                    const CertificateOptions& options);
// Reads the authority from `folder`, writes `<folder>/<site>.pem` and `<folder>/<site>.key`.
Result<void> issue_site_files(const std::string& folder,
                              std::string_view site,
                              const CertificateOptions& options);

// What a certificate says, for `godwit cert show` and the peer check.
struct CertificateFacts {
  std::string subject;
  std::string issuer;
  std::vector<std::string> sites;  // from `godwit://site/` URIs, then from DNS names; no repeats
  std::int64_t valid_from = 0;     // seconds since 1970 UTC
  std::int64_t valid_until = 0;
  std::string sha256;  // fingerprint, 64 hexadecimal digits
};
Result<CertificateFacts> read_certificate(std::string_view pem);
Result<CertificateFacts> read_certificate_file(const std::string& path);

}  // namespace godwit::transport
