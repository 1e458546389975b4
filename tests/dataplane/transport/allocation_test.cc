// Proof that a warm worker allocates nothing: two sites that talk both ways over one port each.
//
//     warm-up:   200 Mbit/s: nothing lost, a cut, 1 % lost ──▶ as much under way as can be
//     measured:  80 Mbit/s: nothing lost, 1 % lost         ──▶ operator new is counted
//
// What is counted is operator new: all of our code allocates by it, and the QUIC library through
// LibraryMemory, whose blocks come from it. GnuTLS uses malloc and is not counted
// (quic_malloc_calls_per_gb in bench/README.md says what libraries ask of it). A session is warm
// when it has been as busy before.

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/port/ip/ip_port.h"
#include "dataplane/port/ip/memory_device.h"
#include "dataplane/port/udp.h"
#include "dataplane/port/with/decorator.h"
#include "tests/dataplane/transport/world.h"
#include "tests/support/allocation_guard.h"

namespace godwit::transport::testing {
namespace {

using testing_support::AllocationGuard;

constexpr BitRate kWarmUp = BitRate::mbps(200);
constexpr BitRate kMeasured = BitRate::mbps(80);
constexpr Duration kControlEvery = Duration::ms(1);

// The network in memory makes a heap buffer of every datagram, which is no worker's path: it is
// excused, and nothing else is.
class Excused final : public port::Decorator {
 public:
  Excused(std::unique_ptr<port::Port> port, std::uint64_t& allocations)
      : Decorator(std::move(port)), allocations_(allocations) {}

  std::size_t receive(Instant now, std::span<port::Train> out) override {
    const AllocationGuard guard;
    const std::size_t count = Decorator::receive(now, out);
    allocations_ += guard.allocations();
    return count;
  }
  std::size_t transmit(Instant now, std::span<const port::Train> trains) override {
    const AllocationGuard guard;
    const std::size_t count = Decorator::transmit(now, trains);
    allocations_ += guard.allocations();
    return count;
  }

 private:
  std::uint64_t& allocations_;
};

// One end: a gateway's loop without a gateway.
class End {
 public:
  End(const std::string& site, std::unique_ptr<port::Port> port, std::uint64_t seed)
      : port_(std::move(port)),
        random_(seed),
        tls_(TlsContext::from_pem(
                 authority().certificate, issue(site), {.unix_seconds = test_unix_seconds})
                 .value()),
        endpoint_(make_quic_endpoint(*port_, *tls_, {.key_update_packets = 10'000}, random_)),
        bytes_(kTransferBytesMax, std::byte{3}) {}

  void know(const std::string& site, const port::Peer& address) {
    peer_ = {.site = site, .address = address, .link = site};
    set_cap(kWarmUp);
  }
  void set_cap(BitRate cap) {
    peer_.cap = cap;
    endpoint_->configure({peer_});
  }
  void dial(Instant now) { session_ = endpoint_->dial(now, peer_); }

  void turn(Instant now) {
    endpoint_->receive(now);
    if (session_ == nullptr) {
      session_ = endpoint_->poll_accepted();
    }
    if (session_ != nullptr) {
      serve(now);
    }
    endpoint_->transmit(now);
  }
  // Says as much as the session keeps.
  void fill_control(Instant now) {
    while (session_->send_control(now, std::span(bytes_).first(size_of(2'000)))) {
    }
  }
  Instant deadline() const { return std::min(endpoint_->deadline(), control_at_); }
  std::uint64_t transfer_bytes() const { return transfer_bytes_; }
  std::uint64_t controls() const { return controls_; }
  SessionStats stats() const { return session_->stats(); }

 private:
  void serve(Instant now) {
    while (const auto event = session_->poll_event()) {
      ASSERT_FALSE(event->kind == Event::Kind::kClosed) << event->close.text;
      is_established_ = is_established_ || event->kind == Event::Kind::kEstablished;
      if (event->kind == Event::Kind::kTransfer) {
        transfer_bytes_ += event->bytes.size();
      }
      controls_ += event->kind == Event::Kind::kControl ? 1U : 0U;
    }
    if (!is_established_) {
      return;
    }
    while (session_->wants_transfer()) {
      session_->send_transfer(now, std::span(bytes_).first(size_of(kTransferBytesMax)));
    }
    if (control_at_ <= now) {
      control_at_ = now + kControlEvery;
      session_->send_control(now, std::span(bytes_).first(size_of(2'000)));
    }
  }
  // 1 .. most, as many small ones as large ones.
  std::size_t size_of(std::size_t most) {
    return 1 + random_.below(std::size_t{1} << random_.below(17)) % most;
  }

  std::unique_ptr<port::Port> port_;
  Random random_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<Endpoint> endpoint_;
  std::vector<std::byte> bytes_;
  PeerConfig peer_;
  Session* session_ = nullptr;
  bool is_established_ = false;
  Instant control_at_ = Instant::from_ns(0);
  std::uint64_t transfer_bytes_ = 0;
  std::uint64_t controls_ = 0;
};

class Allocation : public ::testing::Test {
 protected:
  void meet(std::unique_ptr<port::Port> a, std::unique_ptr<port::Port> b) {
    const std::array addresses = {a->local(), b->local()};
    ends_.push_back(std::make_unique<End>("fra", std::move(a), 1));
    ends_.push_back(std::make_unique<End>("nyc", std::move(b), 2));
    ends_[0]->know("nyc", addresses[1]);
    ends_[1]->know("fra", addresses[0]);
    ends_[0]->dial(now_);
  }

  void run(Duration time) {
    for (const Instant end = now_ + time; now_ < end;) {
      for (auto& one : ends_) {
        one->turn(now_);
      }
      Instant at = network_event_();
      for (auto& one : ends_) {
        at = std::min(at, one->deadline());
      }
      now_ = std::max(std::min(at, end), now_ + Duration::us(1));
    }
  }
  // What one end sends arrives at the other, and a share of it is lost on the way.
  void expect_none(const std::function<Instant()>& network_event,
                   const std::function<void(double)>& set_loss,
                   const std::uint64_t& excused) {
    network_event_ = network_event;
    for (const double loss : {0.0, 1.0, 0.01}) {
      set_loss(loss);
      if (loss == 1.0) {
        for (auto& one : ends_) {
          one->fill_control(now_);
        }
      }
      run(loss == 1.0 ? Duration::ms(500) : Duration::ms(3'000));
    }
    for (auto& one : ends_) {
      one->set_cap(kMeasured);
    }
    const Done before = done();
    for (const double loss : {0.0, 0.01}) {
      set_loss(loss);
      const std::uint64_t excused_before = excused;
      const AllocationGuard guard;
      run(Duration::ms(1'500));
      EXPECT_EQ(guard.allocations() - (excused - excused_before), 0U) << loss;
    }
    expect_busy(before, done());
    ends_.clear();  // ports die before their network
  }

  struct Done {
    std::uint64_t transfer_bytes = 0;
    std::uint64_t controls = 0;
    std::uint64_t key_updates = 0;
    std::uint64_t packets_lost = 0;
  };
  Done done() const {
    Done done;
    for (const auto& one : ends_) {
      done.transfer_bytes += one->transfer_bytes();
      done.controls += one->controls();
      done.key_updates += one->stats().key_updates;
      done.packets_lost += one->stats().packets_lost;
    }
    return done;
  }
  // What was measured is what a busy session does.
  static void expect_busy(const Done& before, const Done& after) {
    EXPECT_GT(after.transfer_bytes, before.transfer_bytes + 30'000'000);
    EXPECT_GT(after.controls, before.controls + 2'000);
    EXPECT_GT(after.packets_lost, before.packets_lost + 100);
    EXPECT_GT(after.key_updates, before.key_updates);
  }

  Random random_{1};
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::vector<std::unique_ptr<End>> ends_;
  std::function<Instant()> network_event_;
};

TEST_F(Allocation, AWarmSessionAllocatesNothing) {
  port::LoopNetwork network(random_);
  const auto a = port::Peer::v4({10, 0, 0, 1}, 4433);
  const auto b = port::Peer::v4({10, 0, 0, 2}, 4433);
  std::uint64_t excused = 0;
  meet(std::make_unique<Excused>(network.open(a), excused),
       std::make_unique<Excused>(network.open(b), excused));
  expect_none(
      [&] { return network.next_event(); },
      [&](double loss) { network.set_both(a, b, {.delay = Duration::ms(20), .loss = loss}); },
      excused);
}

TEST_F(Allocation, NorDoesItOverAUserSpaceEndpoint) {
  port::MemoryWire wire({.frames = 8'192, .delay = Duration::ms(20)}, random_);
  const std::array<const char*, 2> addresses = {"10.9.0.1/24", "10.9.0.2/24"};
  std::array<std::unique_ptr<port::Port>, 2> ports;
  for (std::size_t end = 0; end < ports.size(); ++end) {
    ports[end] =
        port::IpPort::make(
            wire.open(end),
            {.v4 = port::ip::Subnet::parse(addresses[end]).value(), .v6 = {}, .udp_port = 4433})
            .value();
  }
  meet(std::move(ports[0]), std::move(ports[1]));
  expect_none([&] { return wire.next_event(); }, [&](double loss) { wire.set_loss(loss); }, 0U);
}

// The kernel's time is real, so that how much is under way is another one each time: a port alone.
TEST_F(Allocation, NorDoesAPortOfTheKernel) {
  for (const auto engine : {port::UdpEngine::kUring, port::UdpEngine::kEpoll}) {
    const port::UdpOptions options{
        .local = port::Peer::v4({127, 0, 0, 1}, 0), .engine = engine, .receive_buffers = 16};
    auto from = port::make_udp_port(options);
    auto to = port::make_udp_port(options);
    if (engine == port::UdpEngine::kUring && !from) {
      continue;  // forbidden here, as in many containers
    }
    std::vector<std::byte> bytes(16 * 1'200, std::byte{1});
    const std::array<port::Train, 2> trains = {
        port::Train{.peer = (*to)->local(), .segment_bytes = 1'200, .bytes = bytes},
        port::Train{.peer = (*to)->local(), .segment_bytes = 1'200, .bytes = bytes}};
    std::array<port::Train, 8> out{};
    std::uint64_t received = 0;
    std::uint64_t warm = 0;
    std::uint64_t allocations = 0;
    for (int round = 0; round < 2'000; ++round) {
      const AllocationGuard guard;
      (*from)->transmit(now_, trains);
      (*to)->wait(Duration::ms(10));
      while (const std::size_t count = (*to)->receive(now_, out)) {
        for (const port::Train& train : std::span(out).first(count)) {
          received += train.bytes.size();
        }
        (*to)->release(std::span(out).first(count));
      }
      if (round < 10) {
        warm = received;
      } else {
        allocations += guard.allocations();
      }
    }
    EXPECT_EQ(allocations, 0U);
    EXPECT_GT(received, warm + 10'000'000);
  }
}

}  // namespace
}  // namespace godwit::transport::testing
