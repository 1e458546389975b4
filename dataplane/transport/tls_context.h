// What a gateway needs to speak TLS with its peers: its key and certificate, and its authority.
//
// TLS 1.3 only, AES-GCM, X25519, ALPN "godwit/1", both sides show certificates; no session
// tickets and no early data. `reload` exchanges the credentials for sessions begun later, running
// ones keep theirs.
//
// Thread: the worker's; each worker has its own. Memory: must outlive its sessions. Time: validity
// is judged against `TlsOptions::unix_seconds`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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

class TlsSession;

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

  // Reads the files again; on an error the present credentials stay. kInvalid without files;
  // kRefused when `site` is given and the new certificate does not name it.
  Result<void> reload(std::string_view site = {});
  // The same from texts, for a context that was made from texts.
  Result<void> exchange(const std::string& authority_pem, const PemPair& own) {
    return install(authority_pem, own, {});
  }

  // The facts of our own certificate, its site among them.
  const CertificateFacts& own() const;
  std::int64_t unix_seconds() const;

  // Judges a chain (DER, leaf first): authority, validity, and that one of its sites is in
  // `allowed`. With `dialled` a wrong site is kWrongSite, else kUnknownSite.
  Verdict judge(std::span<const std::span<const std::byte>> chain,
                std::span<const std::string> allowed,
                bool dialled) const;
  // Secret for stateless resets, the same after a restart because it comes from the key.
  const std::array<std::uint8_t, 32>& reset_secret() const;
  // Secret for the tokens of Retry, from the key as well.
  const std::array<std::uint8_t, 32>& token_secret() const;

 private:
  friend class TlsSession;
  struct Credentials;
  explicit TlsContext(TlsOptions options);
  Result<void> install(const std::string& authority_pem, const PemPair& own, std::string_view site);

  TlsOptions options_;
  TlsFiles files_;  // empty when made from texts
  // The newest last; older ones stay until no session uses them.
  std::vector<std::unique_ptr<Credentials>> generations_;
};

}  // namespace godwit::transport
