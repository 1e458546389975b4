// The transport's interface without a transport: sessions whose messages StubNetwork carries.
//
// Identity is what the network says, as if certificates had proven it. The interface's promises
// hold: ordered control, whole transfers in any order, loss only together with the session.
//
// Thread: one. Time: `now` comes first and never goes back.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "dataplane/transport/endpoint.h"
#include "tests/sim/stub_network.h"

namespace godwit::sim {

class StubSession final : public transport::Session {
 public:
  StubSession(StubNetwork& network, std::uint64_t conversation, std::size_t self, std::size_t peer)
      : network_(network), conversation_(conversation), self_(self), peer_(peer) {}
  ~StubSession() override { network_.leave(conversation_, self_); }
  StubSession(const StubSession&) = delete;
  StubSession& operator=(const StubSession&) = delete;

  void on_timeout(Instant /*now*/) override {}
  Instant deadline() const override;
  std::optional<transport::Event> poll_event() override;
  bool wants_transfer() const override;
  void send_transfer(Instant now,
                     std::span<const std::byte> bytes,
                     transport::Precedence precedence) override;
  bool send_control(Instant now, std::span<const std::byte> message) override;
  void set_rate(BitRate /*rate*/) override {}
  transport::SessionStats stats() const override;
  std::uint64_t unsent_bytes() const override { return 0; }
  const port::Peer& remote() const override { return nowhere_; }
  const port::Peer& local() const override { return nowhere_; }
  void close(Instant now, std::uint64_t code, std::string_view reason) override;

  // From the network.
  void on_established();
  void on_message(transport::Event::Kind kind, std::span<const std::byte> bytes);
  void on_closed(transport::Close close);

  void set_now(Instant now) { now_ = now; }
  bool is_established() const { return established_ && !closed_; }
  bool is_closed() const { return closed_; }

 private:
  StubNetwork& network_;
  std::uint64_t conversation_;
  std::size_t self_;
  std::size_t peer_;
  bool established_ = false;
  bool closed_ = false;
  mutable bool hungry_ = false;  // was asked and wanted nothing; has something to say later
  Instant now_;
  std::deque<transport::Event> events_;
  transport::SessionStats stats_;
  port::Peer nowhere_;
};

class StubEndpoint final : public transport::Endpoint {
 public:
  StubEndpoint(StubNetwork& network, std::size_t site) : network_(network), site_(site) {}
  ~StubEndpoint() override { network_.detach(site_); }
  StubEndpoint(const StubEndpoint&) = delete;
  StubEndpoint& operator=(const StubEndpoint&) = delete;

  void configure(std::vector<transport::PeerConfig> peers) override { peers_ = std::move(peers); }
  transport::Session* dial(Instant now, const transport::PeerConfig& peer) override;
  transport::Session* poll_accepted() override;
  void receive(Instant now) override;
  void transmit(Instant now) override { receive(now); }
  Instant deadline() const override;
  void retire(Instant now, transport::Session* session) override;
  transport::EndpointCounters counters() const override { return counters_; }

  // From the network: a peer has dialled.
  StubSession* accept(std::uint64_t conversation, std::size_t from);

 private:
  StubNetwork& network_;
  std::size_t site_;
  std::vector<transport::PeerConfig> peers_;
  std::vector<std::unique_ptr<StubSession>> sessions_;
  std::deque<StubSession*> accepted_;
  Instant now_;
  transport::EndpointCounters counters_;
};

}  // namespace godwit::sim
