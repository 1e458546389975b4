// A port around another one that changes nothing; what decorates overrides what it changes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/port/port.h"

namespace godwit::port {

class Decorator : public Port {
 public:
  explicit Decorator(std::unique_ptr<Port> port) : port_(std::move(port)) {}

  Capabilities capabilities() const override { return port_->capabilities(); }
  Peer local() const override { return port_->local(); }
  std::size_t receive(Instant now, std::span<Train> out) override {
    return port_->receive(now, out);
  }
  void release(std::span<const Train> trains) override { port_->release(trains); }
  std::size_t transmit(Instant now, std::span<const Train> trains) override {
    return port_->transmit(now, trains);
  }
  void wait(Duration at_most) override { port_->wait(at_most); }
  void wake() override { port_->wake(); }
  void watch(int descriptor) override { port_->watch(descriptor); }
  void unwatch(int descriptor) override { port_->unwatch(descriptor); }
  std::optional<PathMtu> poll_path_mtu() override { return port_->poll_path_mtu(); }
  Counters counters() const override { return port_->counters(); }
  std::span<const Refusal> refusals() override { return port_->refusals(); }
  std::vector<NeighbourTrouble> troubles(Instant now) const override {
    return port_->troubles(now);
  }
  bool link_up() const override { return port_->link_up(); }

 protected:
  Port& inner() { return *port_; }

 private:
  std::unique_ptr<Port> port_;
};

}  // namespace godwit::port
