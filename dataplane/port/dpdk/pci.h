// Why DPDK may not find a network card: what the kernel says of the PCI device at an address.
#pragma once

#include <filesystem>
#include <string>

namespace godwit::port {

// What to do about the card at "0000:3b:00.0", as sentences that begin with a capital; empty when
// nothing is wrong with it here. The folders are the kernel's, or a test's.
std::string advice_on_pci(const std::string& address,
                          const std::filesystem::path& sys = "/sys",
                          const std::filesystem::path& dev = "/dev");

}  // namespace godwit::port
