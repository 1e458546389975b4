#include "dataplane/port/device_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::port {
namespace {

using ::testing::HasSubstr;

TEST(DeviceName, OfACardIsItsPciAddress) {
  const auto device = parse_device_name("0000:3b:00.1", {.queues = 4});
  ASSERT_TRUE(device.has_value());
  EXPECT_TRUE(device->is_pci());
  EXPECT_EQ(device->name, "0000:3b:00.1");
  EXPECT_EQ(device->arguments, "0000:3b:00.1");
  EXPECT_EQ(device->interface, "");
}

TEST(DeviceName, OfACardIsSpeltAsLinuxSpellsIt) {
  for (const auto& [text, name] : {std::pair{"0000:3B:00.1", "0000:3b:00.1"},
                                   std::pair{"00000000:00:1f.7", "0000:00:1f.7"},
                                   std::pair{"00010000:AF:00.0", "10000:af:00.0"}}) {
    const auto device = parse_device_name(text, {.queues = 1});
    ASSERT_TRUE(device) << text;
    EXPECT_EQ(device->name, name);
    EXPECT_EQ(device->arguments, name);
  }
}

TEST(DeviceName, OfAPacketSocketHasARingThatHoldsItsFrames) {
  const auto plain = parse_device_name("af_packet:wan0");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->driver, "net_af_packet");
  EXPECT_EQ(plain->interface, "wan0");
  EXPECT_EQ(
      plain->arguments,
      "net_af_packet_wan0,iface=wan0,framesz=2048,blocksz=65536,framecnt=4096,qdisc_bypass=1");
  const auto jumbo =
      parse_device_name("af_packet:wan0", {.queues = 2, .mtu = 9000, .lockable_bytes = 64U << 20U});
  ASSERT_TRUE(jumbo.has_value());
  EXPECT_EQ(jumbo->arguments,
            "net_af_packet_wan0,iface=wan0,framesz=9216,blocksz=36864,framecnt=1024,qpairs=2,"
            "qdisc_bypass=1");
}

TEST(DeviceName, OfAPacketSocketHasASmallerRingWhereLittleMemoryMayBeLocked) {
  const auto slots = [](std::size_t mtu, std::size_t lockable_bytes) {
    const auto device =
        parse_device_name("af_packet:wan0", {.mtu = mtu, .lockable_bytes = lockable_bytes});
    const std::string& text = device->arguments;
    return std::stoi(text.substr(text.find("framecnt=") + 9));
  };
  EXPECT_EQ(slots(1'500, 16U << 20U), 4'096);
  EXPECT_EQ(slots(1'500, (16U << 20U) - 1), 2'048);
  EXPECT_EQ(slots(1'500, 8U << 20U), 2'048);  // what most systems grant everybody
  EXPECT_EQ(slots(9'000, 8U << 20U), 256);
  EXPECT_EQ(slots(1'500, 0), 128);  // the driver will say what is wrong
}

TEST(DeviceName, OfXdpAndTapNamesTheInterface) {
  EXPECT_EQ(parse_device_name("af_xdp:eth1")->arguments, "net_af_xdp_eth1,iface=eth1");
  EXPECT_EQ(parse_device_name("af_xdp:eth1", {.queues = 3})->arguments,
            "net_af_xdp_eth1,iface=eth1,queue_count=3");
  const auto tap = parse_device_name("tap:godwit0", {.queues = 2});
  EXPECT_EQ(tap->arguments, "net_tap_godwit0,iface=godwit0");
  EXPECT_EQ(tap->interface, "");  // it is made, and must not exist before
}

TEST(DeviceName, WrittenOutForDpdkNamesTheInterfaceToo) {
  for (const char* text : {"net_af_packet0,iface=wan0",
                           "net_af_packet7,blocksz=4096,iface=wan0,qpairs=2",
                           "net_af_xdp0,iface=wan0"}) {
    const auto device = parse_device_name(text);
    ASSERT_TRUE(device.has_value()) << text;
    EXPECT_EQ(device->arguments, text);
    EXPECT_EQ(device->interface, "wan0");
  }
  for (const char* text : {"net_af_packet0",
                           "net_af_packet0,face=wan0",
                           "net_af_xdp0,iface=",
                           "net_af_xdp1,iface=a/b"}) {
    const auto device = parse_device_name(text);
    ASSERT_FALSE(device.has_value()) << text;
    EXPECT_THAT(device.error().message, HasSubstr("iface=INTERFACE is missing, or no interface"));
  }
}

TEST(DeviceName, OfAnyOtherVirtualDeviceIsTakenAsItIs) {
  const auto device = parse_device_name("net_pcap0,tx_pcap=f");
  ASSERT_TRUE(device.has_value());
  EXPECT_EQ(device->driver, "net_pcap");
  EXPECT_EQ(device->name, "net_pcap0");
  EXPECT_EQ(device->arguments, "net_pcap0,tx_pcap=f");
}

TEST(DeviceName, RefusesEverythingElseWithWhatIsAllowed) {
  for (const char* text : {"",
                           "eth0",
                           "af_packet",
                           "af_packets:wan0",
                           "3b:00.0",
                           "0000:3b:00",
                           "0000:3b:00.8",
                           "0000:3b:0.0",
                           "000g:3b:00.0",
                           "0000:3b:00.01"}) {
    const auto device = parse_device_name(text);
    ASSERT_FALSE(device.has_value()) << text;
    EXPECT_THAT(device.error().message, HasSubstr("there are a PCI address")) << text;
  }
}

TEST(DeviceName, LetsNoInterfaceBringArgumentsOfItsOwn) {
  for (const char* text :
       {"af_packet:", "tap:a,b=c", "af_xdp:a/b", "tap:an-interface-too-long", "af_packet:a b"}) {
    const auto device = parse_device_name(text);
    ASSERT_FALSE(device.has_value()) << text;
    EXPECT_THAT(device.error().message, HasSubstr("an interface has 1 to 15")) << text;
  }
}

}  // namespace
}  // namespace godwit::port
