#include "dataplane/transport/tls_session.h"

#include <algorithm>

#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include "dataplane/base/log.h"
#include "dataplane/transport/tls_credentials.h"

namespace godwit::transport {
namespace {

// Only what DESIGN's transport section names; ChaCha20 is 15 times slower in this library.
constexpr const char* kPriorities =
    "%DISABLE_TLS13_COMPAT_MODE:NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:"
    "+AES-256-GCM:-GROUP-ALL:+GROUP-X25519";
constexpr std::string_view kApplicationProtocol = "godwit/1";

int configure(gnutls_session_t session, TlsSession::Role role) {
  return role == TlsSession::Role::kAcceptor
             ? ngtcp2_crypto_gnutls_configure_server_session(session)
             : ngtcp2_crypto_gnutls_configure_client_session(session);
}

}  // namespace

TlsSession::TlsSession(TlsContext& context, Role role, ConnectionReference& connection)
    : context_(context), credentials_(*context.generations_.back()), role_(role) {
  ++credentials_.users;
  const unsigned flags =
      (role == Role::kAcceptor ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT) |
      GNUTLS_NO_TICKETS | GNUTLS_NO_END_OF_EARLY_DATA;
  int status = gnutls_init(&session_, flags);
  if (status == 0) {
    status = gnutls_priority_set_direct(session_, kPriorities, nullptr);
  }
  if (status == 0) {
    status = configure(session_, role);
  }
  if (status == 0) {
    take_secrets(session_);
  }
  if (status == 0) {
    const gnutls_datum_t protocol = x509::datum(kApplicationProtocol);
    status = gnutls_alpn_set_protocols(session_, &protocol, 1, GNUTLS_ALPN_MANDATORY);
  }
  if (status == 0) {
    status = gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_.handle);
  }
  if (status != 0) {
    log::error("TLS session not made: {}", gnutls_strerror(status));
    if (session_ != nullptr) {
      gnutls_deinit(session_);
      session_ = nullptr;
    }
    return;
  }
  if (role == Role::kAcceptor) {
    // Requested, and a missing one refused by our own judgement, with a name.
    gnutls_certificate_server_set_request(session_, GNUTLS_CERT_REQUEST);
    // Without the authorities' names in the request a stranger shows its certificate, too, and can
    // be told why it is refused.
    gnutls_certificate_send_x509_rdn_sequence(session_, 1);
  }
  gnutls_session_set_ptr(session_, &connection);
}

TlsSession::~TlsSession() {
  if (session_ != nullptr) {
    gnutls_deinit(session_);
  }
  --credentials_.users;
}

const CertificateFacts& TlsSession::own() const {
  return credentials_.own;
}

Verdict TlsSession::judge_peer(std::span<const std::string> allowed) const {
  unsigned count = 0;
  const gnutls_datum_t* shown = gnutls_certificate_get_peers(session_, &count);
  std::vector<std::span<const std::byte>> chain;
  for (unsigned index = 0; shown != nullptr && index < count; ++index) {
    chain.push_back(std::as_bytes(std::span(shown[index].data, shown[index].size)));
  }
  return context_.judge(chain, allowed, role_ == Role::kDialer);
}

}  // namespace godwit::transport
