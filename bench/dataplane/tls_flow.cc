#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "bench/dataplane/credentials.h"
#include "bench/dataplane/flow.h"
#include "bench/dataplane/socket.h"

namespace godwit::bench {
namespace {

constexpr const char* kCipher = "TLS_AES_128_GCM_SHA256";
constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr Duration kHandshakeWait = Duration::ms(5000);

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL_free>>;

Failure tls_failure(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return fail(Code::kIo, "{}: {}", what, text.data());
}

Bio memory(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<Context> make_context(const SSL_METHOD* method, const transport::PemPair* own) {
  Context context(SSL_CTX_new(method));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), kCipher) != 1) {
    return tls_failure("TLS 1.3");
  }
  if (own != nullptr) {
    const Certificate certificate(
        PEM_read_bio_X509(memory(own->certificate).get(), nullptr, nullptr, nullptr));
    const Key key(PEM_read_bio_PrivateKey(memory(own->key).get(), nullptr, nullptr, nullptr));
    if (!certificate || !key || SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
      return tls_failure("certificate");
    }
  }
  return context;
}

class TlsFlow : public Flow {
 public:
  TlsFlow(Descriptor from, Descriptor to, Connection out, Connection in)
      : from_(std::move(from)), to_(std::move(to)), out_(std::move(out)), in_(std::move(in)) {}

  void turn(Side side, Effort effort) override {
    if (effort == Effort::kRest) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kTurnWait.count_ns()));
    } else if (side == Side::kSender) {
      // What did not fit within the socket's time limit is offered again in the next turn.
      SSL_write(out_.get(), written_.data(), static_cast<int>(written_.size()));
    } else {
      const int got = SSL_read(in_.get(), read_.data(), static_cast<int>(read_.size()));
      received_ += got > 0 ? static_cast<std::uint64_t>(got) : 0;
    }
  }
  std::uint64_t received() const override { return received_; }

 private:
  Descriptor from_;
  Descriptor to_;
  Connection out_;
  Connection in_;
  std::vector<char> written_ = std::vector<char>(kWriteBytes, 7);
  std::vector<char> read_ = std::vector<char>(kWriteBytes);
  std::uint64_t received_ = 0;
};

struct Pair {
  Descriptor from;
  Descriptor to;
};

Result<Pair> connect_over_loopback() {
  const auto listener = open_socket(SOCK_STREAM, kHandshakeWait);
  auto from = open_socket(SOCK_STREAM, kHandshakeWait);
  if (!listener || !from) {
    return tl::unexpected(!listener ? listener.error() : from.error());
  }
  if (auto bound = bind_to(*listener, port::Peer::v4({127, 0, 0, 1}, 0)); !bound) {
    return tl::unexpected(bound.error());
  }
  const auto address = local_of(*listener);
  if (!address || ::listen(listener->get(), 1) != 0) {
    return system_failure("listen");
  }
  if (auto connected = connect_to(*from, *address); !connected) {
    return tl::unexpected(connected.error());
  }
  auto to = accept_one(*listener, kHandshakeWait);
  if (!to) {
    return tl::unexpected(to.error());
  }
  return Pair{.from = std::move(*from), .to = std::move(*to)};
}

}  // namespace

Result<std::unique_ptr<Flow>> make_tls_flow() {
  const auto credentials = make_credentials();
  auto sockets = connect_over_loopback();
  if (!credentials || !sockets) {
    return tl::unexpected(!credentials ? credentials.error() : sockets.error());
  }
  const auto client = make_context(TLS_client_method(), nullptr);
  const auto server = make_context(TLS_server_method(), &credentials->receiver);
  if (!client || !server) {
    return tl::unexpected(!client ? client.error() : server.error());
  }
  Connection out(SSL_new(client->get()));
  Connection in(SSL_new(server->get()));
  if (!out || !in || SSL_set_fd(out.get(), sockets->from.get()) != 1 ||
      SSL_set_fd(in.get(), sockets->to.get()) != 1) {
    return tls_failure("TLS connection");
  }
  bool accepted = false;
  std::thread answering([&] { accepted = SSL_accept(in.get()) == 1; });
  const bool connected = SSL_connect(out.get()) == 1;
  answering.join();
  if (!accepted || !connected || std::string_view(SSL_get_cipher(out.get())) != kCipher) {
    return tls_failure("TLS handshake");
  }
  for (const Descriptor* socket : {&sockets->from, &sockets->to}) {
    if (auto limited = limit_blocking(*socket, kTurnWait); !limited) {
      return tl::unexpected(limited.error());
    }
  }
  return std::make_unique<TlsFlow>(
      std::move(sockets->from), std::move(sockets->to), std::move(out), std::move(in));
}

}  // namespace godwit::bench
