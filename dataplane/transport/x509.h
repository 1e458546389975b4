// GnuTLS's X.509 objects with owners, for the two files that work on certificates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "dataplane/base/result.h"
#include "dataplane/transport/certificate.h"

namespace godwit::transport::x509 {

struct Deleter {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
  void operator()(gnutls_x509_privkey_t key) const { gnutls_x509_privkey_deinit(key); }
  void operator()(gnutls_x509_trust_list_t list) const { gnutls_x509_trust_list_deinit(list, 1); }
};
using Certificate = std::unique_ptr<std::remove_pointer_t<gnutls_x509_crt_t>, Deleter>;
using PrivateKey = std::unique_ptr<std::remove_pointer_t<gnutls_x509_privkey_t>, Deleter>;
using TrustList = std::unique_ptr<std::remove_pointer_t<gnutls_x509_trust_list_t>, Deleter>;

// GnuTLS takes bytes without const; it does not change them.
gnutls_datum_t datum(std::string_view text);
gnutls_datum_t datum(std::span<const std::byte> bytes);

Certificate new_certificate();
PrivateKey new_key();
Result<Certificate> certificate_from_pem(std::string_view pem);
Result<Certificate> certificate_from_der(std::span<const std::byte> der);
Result<PrivateKey> key_from_pem(std::string_view pem);
CertificateFacts facts_of(gnutls_x509_crt_t certificate);

// Until when a verified chain holds: the earliest end from the leaf, which comes first, to the
// authority. Of several authorities that issued the same certificate (one was renewed with its key)
// the one that ends last counts. Seconds since 1970 UTC.
std::int64_t chain_end(std::span<const gnutls_x509_crt_t> chain,
                       gnutls_x509_trust_list_t authorities);

// All public authorities of a distribution together have some 220 KB (Debian's ca-certificates).
inline constexpr std::size_t kFileBytesMax = std::size_t{256} * 1024;
// kIo when it cannot be opened or read, kInvalid when it is larger; names the path.
Result<std::string> read_file(const std::string& path);

}  // namespace godwit::transport::x509
