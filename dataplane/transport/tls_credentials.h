// One generation of a TLS context's secrets; private to the files that implement TLS.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/transport/tls_context.h"
#include "dataplane/transport/x509.h"

namespace godwit::transport {

struct TlsContext::Credentials {
  Credentials() = default;
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  ~Credentials() {
    if (handle != nullptr) {
      gnutls_certificate_free_credentials(handle);
    }
  }

  gnutls_certificate_credentials_t handle = nullptr;
  x509::TrustList authorities;
  CertificateFacts own;
  std::array<std::uint8_t, 32> reset_secret{};
  std::array<std::uint8_t, 32> token_secret{};
  std::size_t users = 0;  // sessions that run on it
};

}  // namespace godwit::transport
