// What an operator is told of a card that DPDK does not find, and of what a process may do.

#include <csignal>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/port/dpdk/pci.h"
#include "dataplane/port/dpdk/privileges.h"

namespace godwit::port {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A /sys and a /dev with one card.
class PciAdvice : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(device_); }
  void TearDown() override { fs::remove_all(root_); }

  std::string advice() { return advice_on_pci("0000:3b:00.0", root_ / "sys", root_ / "dev"); }

  const fs::path root_ = fs::path(::testing::TempDir()) / fmt::format("pci-{}", ::getpid());
  const fs::path device_ = root_ / "sys/bus/pci/devices/0000:3b:00.0";
};

TEST_F(PciAdvice, NamesTheDeviceThatIsMissing) {
  fs::remove(device_);
  EXPECT_THAT(advice(), HasSubstr("no PCI device at this address: `lspci -D`"));
}

TEST_F(PciAdvice, NamesTheDriverThatHasIt) {
  EXPECT_THAT(advice(), HasSubstr("no driver: `dpdk-devbind.py -b vfio-pci 0000:3b:00.0`"));
  fs::create_symlink("../../drivers/ixgbe", device_ / "driver");
  EXPECT_THAT(advice(), HasSubstr("The kernel's driver ixgbe has it"));
}

TEST_F(PciAdvice, NamesTheFileThatMayNotBeOpened) {
  fs::create_symlink("../../drivers/vfio-pci", device_ / "driver");
  EXPECT_THAT(advice(), HasSubstr("no IOMMU group"));
  fs::create_symlink("../../../kernel/iommu_groups/17", device_ / "iommu_group");
  EXPECT_THAT(advice(), HasSubstr("may not open " + (root_ / "dev/vfio/17").string()));
  fs::create_directories(root_ / "dev/vfio");
  std::ofstream(root_ / "dev/vfio/17") << "";
  EXPECT_EQ(advice(), "");
}

TEST_F(PciAdvice, SaysNothingOfACardThatWorksWithTheKernels) {
  fs::create_symlink("../../drivers/mlx5_core", device_ / "driver");
  EXPECT_EQ(advice(), "");
}

TEST(Privileges, KnowTheHostsUserNamespace) {
  EXPECT_TRUE(is_of_host("         0          0 4294967295\n"));
  EXPECT_FALSE(is_of_host("         0          0          1\n")) << "`unshare -r` of root";
  EXPECT_FALSE(is_of_host("         0       1000          1\n"));
  EXPECT_FALSE(is_of_host(""));
}

// In a child: a user namespace is for ever.
TEST(Privileges, OfAUserNamespaceDoNotReachTheHostsNetwork) {
  // As fork, into a namespace of its own at once: who has threads, as under ThreadSanitizer, cannot
  // go there later.
  const auto child = static_cast<pid_t>(
      ::syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, nullptr, nullptr, nullptr, nullptr));
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool is_told =
        advice_on_capabilities("net_af_packet").find("unshare -rUn") != std::string::npos;
    const bool has_network = ::unshare(CLONE_NEWNET) == 0;
    const bool is_silent = advice_on_capabilities("net_af_packet").empty();
    ::_exit(is_told && has_network && is_silent ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace godwit::port
