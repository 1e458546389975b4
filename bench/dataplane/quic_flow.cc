#include <utility>
#include <vector>

#include "bench/dataplane/credentials.h"
#include "bench/dataplane/flow.h"
#include "bench/dataplane/quic_node.h"

namespace godwit::bench {
namespace {

constexpr std::size_t kTransferBytes = 64 * 1024;

class Sender : public NodeUser {
 public:
  void on_room(Instant now, transport::Session& session) override {
    while (effort == Effort::kFull && session.wants_transfer()) {
      session.send_transfer(now, transfer_);
    }
  }
  Effort effort = Effort::kRest;

 private:
  std::vector<std::byte> transfer_ = std::vector<std::byte>(kTransferBytes, std::byte{7});
};

class Receiver : public NodeUser {
 public:
  void on_transfer(Instant, std::span<const std::byte> bytes) override { received += bytes.size(); }
  std::uint64_t received = 0;
};

class QuicFlow : public Flow {
 public:
  QuicFlow(std::unique_ptr<QuicNode> from, std::unique_ptr<QuicNode> to)
      : from_(std::move(from)), to_(std::move(to)) {}

  void turn(Side side, Effort effort) override {
    if (side == Side::kSender) {
      sender_.effort = effort;
      from_->turn(sender_, kTurnWait);
    } else {
      to_->turn(receiver_, kTurnWait);
    }
  }
  void finish(Side side) override { (side == Side::kSender ? from_ : to_).reset(); }
  std::uint64_t received() const override { return receiver_.received; }

 private:
  Sender sender_;
  Receiver receiver_;
  std::unique_ptr<QuicNode> from_;
  std::unique_ptr<QuicNode> to_;
};

}  // namespace

Result<std::unique_ptr<Flow>> make_quic_flow() {
  const auto credentials = make_credentials();
  if (!credentials) {
    return tl::unexpected(credentials.error());
  }
  const auto any = port::Peer::v4({127, 0, 0, 1}, 0);
  auto to_tls = transport::TlsContext::from_pem(credentials->authority, credentials->receiver);
  auto from_tls = transport::TlsContext::from_pem(credentials->authority, credentials->sender);
  if (!to_tls || !from_tls) {
    return tl::unexpected(!to_tls ? to_tls.error() : from_tls.error());
  }
  // The acceptor knows its peer's host alone; the port is the dialler's own choice.
  auto to = QuicNode::open(
      std::move(*to_tls),
      {.local = any,
       .peer = {.site = kSenderSite, .address = any.with_port(1), .link = kSenderSite},
       .dials = false});
  if (!to) {
    return tl::unexpected(to.error());
  }
  auto from = QuicNode::open(
      std::move(*from_tls),
      {.local = any,
       .peer = {.site = kReceiverSite, .address = (*to)->local(), .link = kReceiverSite},
       .dials = true});
  if (!from) {
    return tl::unexpected(from.error());
  }
  return std::make_unique<QuicFlow>(std::move(*from), std::move(*to));
}

}  // namespace godwit::bench
