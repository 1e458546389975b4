#include "dataplane/port/dpdk/pci.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace godwit::port {
namespace {

namespace fs = std::filesystem;

// These lend their device to a process; Mellanox's keep it for the kernel besides. What DPDK's
// guide for Linux drivers lists.
constexpr std::array<std::string_view, 5> kLenders{
    "vfio-pci", "igb_uio", "uio_pci_generic", "mlx4_core", "mlx5_core"};

// The last part of what a link shows; empty when there is none.
std::string target(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename().string();
}

}  // namespace

std::string advice_on_pci(const std::string& address, const fs::path& sys, const fs::path& dev) {
  const fs::path device = sys / "bus/pci/devices" / address;
  std::error_code error;
  if (!fs::exists(device, error)) {
    return "There is no PCI device at this address: `lspci -D` lists those of this machine";
  }
  const std::string driver = target(device / "driver");
  if (driver.empty()) {
    return fmt::format("It has no driver: `dpdk-devbind.py -b vfio-pci {}`", address);
  }
  if (std::find(kLenders.begin(), kLenders.end(), driver) == kLenders.end()) {
    return fmt::format(
        "The kernel's driver {} has it: `dpdk-devbind.py -b vfio-pci {}` takes it, and its "
        "interface with it, from the kernel",
        driver,
        address);
  }
  if (driver != "vfio-pci") {
    return {};
  }
  const std::string group = target(device / "iommu_group");
  if (group.empty()) {
    return "It has no IOMMU group: switch the IOMMU on in the firmware and by intel_iommu=on or "
           "amd_iommu=on on the kernel's command line";
  }
  const fs::path file = dev / "vfio" / group;
  if (::access(file.c_str(), R_OK | W_OK) != 0) {
    return fmt::format(
        "This process may not open {}: run it as root, or `chown USER {}` for the user that it "
        "runs as",
        file.string(),
        file.string());
  }
  return {};
}

}  // namespace godwit::port
