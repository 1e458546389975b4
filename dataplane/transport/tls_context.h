// What a gateway needs to speak TLS with its peers: its key and certificate, and its authority.
//
// TLS 1.3 only, AES-GCM, X25519, ALPN "godwit/1", both sides show certificates; no session
// tickets and no early data. `reload` exchanges the credentials for sessions begun later, running
// ones keep theirs.
//
// Thread: the worker's; each worker has its own. Time: validity is judged against
// `TlsOptions::unix_seconds`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/transport/certificate.h"
#include "dataplane/transport/close_reason.h"
#include "dataplane/transport/session.h"

namespace godwit::transport {

struct TlsFiles {
  std::string authority;    // PEM, one or more certificates
  std::string certificate;  // PEM, this site's, followed by intermediates if any
  std::string key;          // PEM, this site's
};

struct TlsOptions {
  // The time of day, seconds since 1970 UTC; null: the system's. The simulator gives its own.
  std::int64_t (*unix_seconds)() = nullptr;
};

// What became of a peer's certificate.
struct Verdict {
  CloseReason reason = CloseReason::kNone;  // kNone: accepted
  std::uint8_t alert = 0;                   // the TLS alert that tells the peer (RFC 8446, 6.2)
  std::string text;
  Identity identity;  // meaningful when accepted
};

class TlsContext {
 public:
  // From files (the daemon) or from PEM texts (tests, simulator). Errors name the file and what
  // is wrong with it: unreadable, key does not match, expired, without a site name.
  static Result<std::unique_ptr<TlsContext>> load(const TlsFiles& files, TlsOptions options = {});
  static Result<std::unique_ptr<TlsContext>> from_pem(const std::string& authority_pem,
                                                      const PemPair& own,
                                                      TlsOptions options = {});
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Reads the files again; on an error the present credentials stay.
  Result<void> reload();

  // The site in our own certificate, and the facts of that certificate.
  const CertificateFacts& own() const;
  std::int64_t unix_seconds() const;

  // Used by the QUIC session only.
  struct Credentials;
  std::shared_ptr<const Credentials> credentials() const;
  // Judges the chain (DER, leaf first): authority, validity, and that one of its sites is in
  // `allowed`. With `dialled` the failure is kWrongSite, else kUnknownSite.
  Verdict judge(std::span<const std::span<const std::byte>> chain,
                std::span<const std::string> allowed,
                bool dialled) const;
  // Secret of this gateway for stateless resets, the same after a restart (from the key).
  const std::array<std::uint8_t, 32>& reset_secret() const;

 private:
  TlsContext();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::transport
