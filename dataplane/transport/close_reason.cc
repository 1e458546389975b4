#include "dataplane/transport/close_reason.h"

namespace godwit::transport {

std::string_view name(CloseReason reason) {
  switch (reason) {
    case CloseReason::kNone:
      return "none";
    case CloseReason::kLocal:
      return "local";
    case CloseReason::kPeer:
      return "peer";
    case CloseReason::kSilent:
      return "silent";
    case CloseReason::kHandshakeTimeout:
      return "handshake_timeout";
    case CloseReason::kCertificateExpired:
      return "certificate_expired";
    case CloseReason::kCertificateNotYetValid:
      return "certificate_not_yet_valid";
    case CloseReason::kCertificateUntrusted:
      return "certificate_untrusted";
    case CloseReason::kCertificateMissing:
      return "certificate_missing";
    case CloseReason::kWrongSite:
      return "wrong_site";
    case CloseReason::kUnknownSite:
      return "unknown_site";
    case CloseReason::kRefusedByPeer:
      return "refused_by_peer";
    case CloseReason::kTls:
      return "tls";
    case CloseReason::kProtocol:
      return "protocol";
    case CloseReason::kReset:
      return "reset";
    case CloseReason::kLimit:
      return "limit";
    case CloseReason::kInternal:
      return "internal";
  }
  return "unknown";
}

}  // namespace godwit::transport
