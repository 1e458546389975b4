#include "bench/dataplane/quic_node.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/system_time.h"

namespace godwit::bench {

Result<std::unique_ptr<QuicNode>> QuicNode::open(std::unique_ptr<transport::TlsContext> tls,
                                                 const NodeOptions& options) {
  auto port = port::make_udp_port({.local = options.local, .engine = port::UdpEngine::kUring});
  if (!port) {
    return tl::unexpected(port.error());
  }
  return std::unique_ptr<QuicNode>(new QuicNode(std::move(tls), std::move(*port), options));
}

QuicNode::QuicNode(std::unique_ptr<transport::TlsContext> tls,
                   std::unique_ptr<port::Port> port,
                   NodeOptions options)
    : options_(std::move(options)),
      random_(system_entropy()),
      tls_(std::move(tls)),
      port_(std::move(port)),
      endpoint_(transport::make_quic_endpoint(*port_, *tls_, {}, random_)),
      redial_(random_) {
  endpoint_->configure({options_.peer});
}

void QuicNode::dial_when_due(Instant now) {
  if (!options_.dials || !open_.empty() || now < redial_.next_attempt()) {
    return;
  }
  redial_.on_attempt(now);
  if (transport::Session* session = endpoint_->dial(now, options_.peer)) {
    open_.push_back(session);
  } else {
    redial_.on_failure(now);
  }
}

bool QuicNode::serve(Instant now, transport::Session& session, NodeUser& user) {
  while (const auto event = session.poll_event()) {
    switch (event->kind) {
      case transport::Event::Kind::kEstablished:
        established_ = &session;
        ++sessions_;
        redial_.on_success();
        break;
      case transport::Event::Kind::kControl:
        user.on_control(now, event->bytes.bytes());
        break;
      case transport::Event::Kind::kTransfer:
        user.on_transfer(now, event->bytes.bytes());
        break;
      case transport::Event::Kind::kClosed:
        if (established_ == &session) {
          established_ = nullptr;
        }
        redial_.on_failure(now);
        endpoint_->retire(now, &session);
        return false;
    }
  }
  return true;
}

void QuicNode::turn(NodeUser& user, Duration wait_max) {
  const Instant now = system_now();
  dial_when_due(now);
  endpoint_->receive(now);
  while (transport::Session* accepted = endpoint_->poll_accepted()) {
    open_.push_back(accepted);
  }
  std::erase_if(open_, [&](transport::Session* session) { return !serve(now, *session, user); });
  if (established_ != nullptr) {
    user.on_room(now, *established_);
  }
  endpoint_->transmit(now);
  Instant next = endpoint_->deadline();
  if (options_.dials && open_.empty()) {
    next = std::min(next, redial_.next_attempt());
  }
  port_->wait(std::min(next - system_now(), wait_max));
}

}  // namespace godwit::bench
