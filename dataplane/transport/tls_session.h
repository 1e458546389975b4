// One TLS 1.3 handshake inside QUIC: a GnuTLS session with our rules, owned by one QUIC session.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <gnutls/gnutls.h>

#include "dataplane/base/result.h"
#include "dataplane/transport/packet_protection.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::transport {

class TlsSession {
 public:
  enum class Role : std::uint8_t {
    kDialer,
    kAcceptor,
  };

  // `connection` is what the callbacks of the QUIC library and ours find by the TLS session.
  TlsSession(TlsContext& context, Role role, ConnectionReference& connection);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  bool is_ready() const { return session_ != nullptr; }
  gnutls_session_t handle() { return session_; }
  // The facts of the certificate that we show in it.
  const CertificateFacts& own() const;
  // Judges what the peer showed; after the handshake.
  Verdict judge_peer(std::span<const std::string> allowed) const;

 private:
  TlsContext& context_;
  TlsContext::Credentials& credentials_;
  Role role_;
  gnutls_session_t session_ = nullptr;
};

}  // namespace godwit::transport
