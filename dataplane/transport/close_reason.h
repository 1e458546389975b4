// Why a session ended: stable ids for metrics and logs, with the text a person reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit::transport {

// The values are stable: they are metric labels and stand in logs.
enum class CloseReason : std::uint8_t {
  kNone = 0,
  kLocal = 1,                   // our own gateway closed it; `code` is its code
  kPeer = 2,                    // the peer's gateway closed it; `code` is its code
  kSilent = 3,                  // nothing was heard for too long: the link or the peer is dead
  kHandshakeTimeout = 4,        // no connection came about in time
  kCertificateExpired = 5,      // the peer's certificate is past its validity
  kCertificateNotYetValid = 6,  // the peer's certificate is not valid yet
  kCertificateUntrusted = 7,    // the peer's certificate was not issued by our authority
  kCertificateMissing = 8,      // the peer showed none, or one that cannot be read
  kWrongSite = 9,               // the peer is not the site that was dialled
  kUnknownSite = 10,            // the peer is no configured site
  kRefusedByPeer = 11,          // the peer refused us or our certificate; `text` holds its words
  kTls = 12,                    // the TLS handshake failed otherwise
  kProtocol = 13,               // the peer broke the rules of QUIC or of our framing
  kReset = 14,                  // the peer does not know this connection (it was restarted)
  kLimit = 15,                  // the peer exceeded a limit of ours
  kInternal = 16,               // the library failed; not the peer's fault
};

// "certificate_expired" and so on: lower case, for metric labels.
std::string_view name(CloseReason reason);

struct Close {
  CloseReason reason = CloseReason::kNone;
  std::uint64_t code = 0;  // the gateway's code with kLocal and kPeer, else QUIC's error code
  bool by_peer = false;    // the peer closed it, not we
  std::string text;        // one sentence: what was wrong, with names

  // We refused the peer for who it is or is not: something an operator must look at.
  bool is_refusal() const {
    return reason >= CloseReason::kCertificateExpired && reason <= CloseReason::kUnknownSite;
  }
};

}  // namespace godwit::transport
