// DPDK's environment (EAL): memory, threads and drivers of the whole process, started once.
//
//     start_eal ─▶ thread of its own ─▶ rte_eal_init ─▶ memory in huge pages, or without
//                  (pinned with all that it spawns; every other thread keeps its affinity)
//
// DPDK cannot start twice in a process, not even after a failure, so what is needed must be decided
// before: whether huge pages are free, and whether PCI is looked at.
//
// Thread: any; starts are serialised. Memory: for the life of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::port {

enum class HugePages : std::uint8_t {
  kAuto,    // when enough are free
  kAlways,  // or an error
  kNever,
};

struct EalOptions {
  HugePages huge_pages = HugePages::kAuto;
  std::size_t memory_bytes = 0;  // what buffers need; the environment's own comes on top
  std::string pci_address;       // empty: PCI is not looked at
};

// What the kernel has reserved, of the size of which most memory is free.
struct HugePageSupply {
  std::size_t free_pages = 0;
  std::size_t page_bytes = 0;
};
HugePageSupply huge_page_supply(const std::filesystem::path& folder = "/sys/kernel/mm/hugepages");

// The command line for DPDK, without the program's name. `processors` are those that this process
// may use. kFull: huge pages are wanted and there are not enough.
Result<std::vector<std::string>> eal_arguments(const EalOptions& options,
                                               const HugePageSupply& supply,
                                               const std::vector<int>& processors);

// The first call decides; later ones get its outcome. kIo with DPDK's own words.
Result<void> start_eal(const EalOptions& options);

}  // namespace godwit::port
