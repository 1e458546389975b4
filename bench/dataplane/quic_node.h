// One end of one secured session over a real UDP port, driven as a gateway drives it.
//
//     loop ──turn──▶ dial or accept ─▶ receive ─▶ events ─▶ NodeUser ─▶ transmit ─▶ wait
//
// A dialling node dials again whenever its session has ended, after the gateway's own delays.
//
// Thread: one, the first that turns it. Time: reads the system's clock once a turn.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/random.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/udp.h"
#include "dataplane/transport/quic_endpoint.h"
#include "dataplane/transport/redial.h"
#include "dataplane/transport/tls_context.h"

namespace godwit::bench {

struct NodeOptions {
  port::Peer local;
  transport::PeerConfig peer;
  bool dials = false;
};

// What a program does with the node's session; everything is called inside `turn`.
class NodeUser {
 public:
  virtual ~NodeUser() = default;
  virtual void on_transfer(Instant, std::span<const std::byte>) {}
  virtual void on_control(Instant, std::span<const std::byte>) {}
  // Once a turn while a session is established, before its packets are built.
  virtual void on_room(Instant, transport::Session&) {}
};

class QuicNode {
 public:
  // `io_uring` or an error: the figures are of that port.
  static Result<std::unique_ptr<QuicNode>> open(std::unique_ptr<transport::TlsContext> tls,
                                                const NodeOptions& options);

  // One turn, and a sleep of at most `wait_max` until there is something to do.
  void turn(NodeUser& user, Duration wait_max);

  port::Peer local() const { return port_->local(); }
  // Sessions that were established until now.
  std::uint64_t sessions() const { return sessions_; }

 private:
  QuicNode(std::unique_ptr<transport::TlsContext> tls,
           std::unique_ptr<port::Port> port,
           NodeOptions options);
  void dial_when_due(Instant now);
  // False when the session has ended and was retired.
  bool serve(Instant now, transport::Session& session, NodeUser& user);

  NodeOptions options_;
  Random random_;
  std::unique_ptr<transport::TlsContext> tls_;
  std::unique_ptr<port::Port> port_;
  std::unique_ptr<transport::Endpoint> endpoint_;
  transport::Redial redial_;
  std::vector<transport::Session*> open_;
  transport::Session* established_ = nullptr;  // the newest
  std::uint64_t sessions_ = 0;
};

}  // namespace godwit::bench
