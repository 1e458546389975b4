// Certificates in memory for the two ends of a loopback flow.
#pragma once

#include <string>

#include "dataplane/base/result.h"
#include "dataplane/base/system_time.h"
#include "dataplane/transport/certificate.h"

namespace godwit::bench {

inline constexpr const char* kSenderSite = "sender";
inline constexpr const char* kReceiverSite = "receiver";

struct Credentials {
  std::string authority;  // PEM
  transport::PemPair sender;
  transport::PemPair receiver;
};

inline Result<Credentials> make_credentials() {
  const transport::CertificateOptions options{.valid_from = system_unix_seconds()};
  const auto authority = transport::make_authority("bench", options);
  if (!authority) {
    return tl::unexpected(authority.error());
  }
  auto sender = transport::issue_site(*authority, kSenderSite, options);
  auto receiver = transport::issue_site(*authority, kReceiverSite, options);
  if (!sender || !receiver) {
    return tl::unexpected(!sender ? sender.error() : receiver.error());
  }
  return Credentials{.authority = authority->certificate,
                     .sender = std::move(*sender),
                     .receiver = std::move(*receiver)};
}

}  // namespace godwit::bench
