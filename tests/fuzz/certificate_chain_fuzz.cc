// The certificates that a stranger shows.
//
// Input: a first byte, then bytes. Even: they are the chain, each certificate behind its length of
// two bytes (big endian); no authority of ours signed it, so it is refused with a reason. Odd: they
// change a certificate that our authority signed, three bytes each: an offset and what is combined
// with the byte there by exclusive or. Only unchanged it is accepted.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/transport/tls_context.h"
#include "dataplane/transport/x509.h"

namespace godwit::transport {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;  // the self-signed inputs are valid then
const std::vector<std::string> kAllowed = {"fra"};

struct Lab {
  std::unique_ptr<TlsContext> nyc;
  std::vector<std::byte> fra;  // DER
};

Lab make_lab() {
  const CertificateOptions options{.valid_from = kNow};
  const PemPair authority = make_authority("lab", options).value();
  Lab lab;
  lab.nyc = TlsContext::from_pem(authority.certificate,
                                 issue_site(authority, "nyc", options).value(),
                                 {.unix_seconds = [] { return kNow; }})
                .value();
  const PemPair fra = issue_site(authority, "fra", options).value();
  gnutls_datum_t der{};
  const auto certificate = x509::certificate_from_pem(fra.certificate).value();
  GODWIT_ASSERT(gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_DER, &der) == 0);
  const auto bytes = std::as_bytes(std::span(der.data, der.size));
  lab.fra.assign(bytes.begin(), bytes.end());
  gnutls_free(der.data);
  return lab;
}

bool is_accepted(const Lab& lab, std::span<const std::span<const std::byte>> chain) {
  const Verdict verdict = lab.nyc->judge(chain, kAllowed, true);
  if (verdict.reason != CloseReason::kNone) {
    GODWIT_ASSERT(!verdict.text.empty() && verdict.alert != 0, "a refusal says why");
    return false;
  }
  GODWIT_ASSERT(verdict.identity.site == "fra" && verdict.identity.valid_until >= kNow);
  return true;
}

void try_chain(const Lab& lab, std::span<const std::byte> input) {
  std::vector<std::span<const std::byte>> chain;
  while (input.size() >= 2) {
    const std::size_t length =
        (std::to_integer<std::size_t>(input[0]) << 8U) | std::to_integer<std::size_t>(input[1]);
    input = input.subspan(2);
    chain.push_back(input.first(std::min(length, input.size())));
    input = input.subspan(chain.back().size());
  }
  GODWIT_ASSERT(!is_accepted(lab, chain), "nobody signed this chain");
}

void try_changed(const Lab& lab, std::span<const std::byte> changes) {
  std::vector<std::byte> changed = lab.fra;
  for (; changes.size() >= 3; changes = changes.subspan(3)) {
    const std::size_t offset =
        (std::to_integer<std::size_t>(changes[0]) << 8U) | std::to_integer<std::size_t>(changes[1]);
    changed[offset % changed.size()] ^= changes[2];
  }
  const std::span<const std::byte> one = changed;
  GODWIT_ASSERT(is_accepted(lab, std::span(&one, 1)) == (changed == lab.fra),
                "what the authority signed is accepted, and nothing else");
}

}  // namespace
}  // namespace godwit::transport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto lab = godwit::transport::make_lab();
  if (size > 0) {
    const auto bytes = std::as_bytes(std::span(data, size).subspan(1));
    if ((data[0] & 1U) == 0) {
      godwit::transport::try_chain(lab, bytes);
    } else {
      godwit::transport::try_changed(lab, bytes);
    }
  }
  return 0;
}
