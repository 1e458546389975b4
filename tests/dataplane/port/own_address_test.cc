// A socket at a wildcard address: which of the host's addresses a train came to, and leaves from.

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/base/system_time.h"
#include "dataplane/port/udp.h"
#include "tests/dataplane/port/opens.h"

namespace godwit::port {
namespace {

// Linux has all of 127.0.0.0/8 on its loopback interface, and one address of IPv6.
struct OwnCase {
  UdpEngine engine;
  const char* wildcard;
  const char* other;  // where the other end is bound
  const char* first;  // two addresses of the wildcard's host
  const char* second;
};

std::vector<OwnCase> own_cases_of_this_machine() {
  std::vector<OwnCase> found;
  for (const UdpEngine engine : {UdpEngine::kEpoll, UdpEngine::kUring}) {
    for (const OwnCase& one :
         {OwnCase{engine, "0.0.0.0:0", "127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"},
          OwnCase{engine, "[::]:0", "127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"},
          OwnCase{engine, "[::]:0", "[::1]:0", "[::1]:0", "[::1]:0"}}) {
      if (opens(one.wildcard, engine) && opens(one.other, engine)) {
        found.push_back(one);
      }
    }
  }
  return found;
}

std::unique_ptr<Port> port_at(std::string_view address, UdpEngine engine) {
  auto port = make_udp_port({.local = Peer::parse(address).value(),
                             .engine = engine,
                             .socket_buffer_bytes = 1 << 20,
                             .receive_buffers = 4});
  EXPECT_TRUE(port.has_value()) << port.error().message;
  return std::move(*port);
}

// The next train without its bytes; what came within a second, else the empty one.
Train next_train(Port& port) {
  std::array<Train, 1> out{};
  for (int attempt = 0; attempt < 50; ++attempt) {
    if (port.receive(system_now(), out) == 1) {
      port.release(out);
      out[0].bytes = {};
      return out[0];
    }
    port.wait(Duration::ms(20));
  }
  return {};
}

void send(Port& from, const Peer& to, const Peer& local, std::uint8_t dscp = 0) {
  std::array<std::byte, 1'500> bytes{};  // three datagrams
  const Train train{.peer = to, .segment_bytes = 500, .bytes = bytes, .dscp = dscp, .local = local};
  EXPECT_EQ(from.transmit(system_now(), {&train, 1}), 1U);
  EXPECT_EQ(from.counters().send_errors, 0U);
}

class OwnAddress : public ::testing::TestWithParam<OwnCase> {
 protected:
  Peer first() const { return Peer::parse(GetParam().first)->with_port(all_->local().udp_port()); }
  Peer second() const {
    return Peer::parse(GetParam().second)->with_port(all_->local().udp_port());
  }

  std::unique_ptr<Port> all_ = port_at(GetParam().wildcard, GetParam().engine);
  std::unique_ptr<Port> one_ = port_at(GetParam().other, GetParam().engine);
};

TEST_P(OwnAddress, IsToldOfEachTrainThatComes) {
  for (const Peer& to : {first(), second(), first()}) {
    send(*one_, to, {});
    const Train came = next_train(*all_);
    EXPECT_EQ(came.peer, one_->local());
    EXPECT_TRUE(came.local.same_host(to)) << came.local.format();
    EXPECT_EQ(came.segment_bytes, 500);
  }
}

TEST_P(OwnAddress, IsThatFromWhichAnAnswerLeaves) {
  for (const Peer& from : {first(), second(), first()}) {
    send(*all_, one_->local(), from);
    EXPECT_EQ(next_train(*one_).peer, from);
  }
}

TEST_P(OwnAddress, GoesTogetherWithACodepointAndSegments) {
  send(*all_, one_->local(), second(), 46);
  const Train came = next_train(*one_);
  EXPECT_EQ(came.peer, second());
  EXPECT_EQ(came.segment_bytes, 500);
}

TEST_P(OwnAddress, IsTheRoutesChoiceWhereNoneIsNamed) {
  send(*all_, one_->local(), {});
  // A host speaks to itself from the address that it speaks to.
  EXPECT_TRUE(next_train(*one_).peer.same_host(one_->local()));
}

TEST_P(OwnAddress, IsNotLookedAtWhereThePortHasOne) {
  send(*all_, one_->local(), first());
  EXPECT_FALSE(next_train(*one_).local.has_host());
  send(*one_, first(), second());
  EXPECT_EQ(next_train(*all_).peer, one_->local());
}

TEST_P(OwnAddress, ThatTheHostDoesNotHaveLosesTheTrainAndIsCounted) {
  if (first().is_v6()) {
    return;  // the case of IPv4 is enough
  }
  std::array<std::byte, 100> bytes{};
  const Train train{.peer = one_->local(),
                    .segment_bytes = 100,
                    .bytes = bytes,
                    .local = Peer::parse("192.0.2.1:0").value()};
  EXPECT_EQ(all_->transmit(system_now(), {&train, 1}), 1U);
  EXPECT_EQ(all_->counters().send_errors, 1U);
}

INSTANTIATE_TEST_SUITE_P(Engines, OwnAddress, ::testing::ValuesIn(own_cases_of_this_machine()));

TEST(OwnAddressCases, AreCounted) {
  const auto cases = own_cases_of_this_machine();
  std::printf("count: own address engines and families %zu of 6\n", cases.size());
  EXPECT_GE(cases.size(), 1U);
}

}  // namespace
}  // namespace godwit::port
