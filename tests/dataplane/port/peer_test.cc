#include "dataplane/port/peer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <rapidcheck/gtest.h>

namespace godwit::port {
namespace {

TEST(Peer, ReadsAndWritesNumericAddresses) {
  for (const char* text : {"192.0.2.7:4433", "0.0.0.0:0", "[2001:db8::1]:65535", "[::]:1"}) {
    const auto peer = Peer::parse(text);
    ASSERT_TRUE(peer.has_value()) << text;
    EXPECT_EQ(peer->format(), text);
  }
}

TEST(Peer, RefusesWhatIsNotNumericOrNotComplete) {
  for (const char* text : {"",
                           ":",
                           "host:1",
                           "192.0.2.7",
                           "192.0.2.7:",
                           "192.0.2.7:65536",
                           "192.0.2.7:-1",
                           "192.0.2:1",
                           "2001:db8::1:1",
                           "[192.0.2.7]:1",
                           "[2001:db8::1]",
                           "192.0.2.7:1x",
                           " 192.0.2.7:1"}) {
    EXPECT_FALSE(Peer::parse(text).has_value()) << text;
  }
}

TEST(Peer, TakesAMappedAddressForTheIPv4AddressItIs) {
  EXPECT_EQ(Peer::parse("[::ffff:192.0.2.7]:9").value(), Peer::parse("192.0.2.7:9").value());
}

TEST(Peer, ComparesHostsWithoutThePort) {
  const Peer peer = Peer::parse("192.0.2.7:9").value();
  EXPECT_TRUE(peer.same_host(peer.with_port(10)));
  EXPECT_NE(peer, peer.with_port(10));
  EXPECT_FALSE(peer.same_host(Peer::parse("192.0.2.8:9").value()));
}

RC_GTEST_PROP(Peer, SurvivesTheKernelsFormAndText, ()) {
  const auto port = *rc::gen::arbitrary<std::uint16_t>();
  const auto v4 =
      *rc::gen::container<std::array<std::uint8_t, 4>>(rc::gen::arbitrary<std::uint8_t>());
  const auto v6 =
      *rc::gen::container<std::array<std::uint8_t, 16>>(rc::gen::arbitrary<std::uint8_t>());
  for (const Peer& peer : {Peer::v4(v4, port), Peer::v6(v6, port)}) {
    sockaddr_storage storage{};
    const socklen_t bytes = peer.to_sockaddr(storage);
    const auto back = Peer::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), bytes);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == peer);
    RC_ASSERT(back->hash() == peer.hash());
    RC_ASSERT(Peer::parse(peer.format()).value() == peer);
    RC_ASSERT(!Peer::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), 4).has_value());
  }
}

}  // namespace
}  // namespace godwit::port
