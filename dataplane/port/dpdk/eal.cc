#include "dataplane/port/dpdk/eal.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

#include <fmt/ranges.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include "dataplane/base/log.h"
#include "dataplane/port/dpdk/eal_log.h"

namespace godwit::port {
namespace {

constexpr std::size_t kMebibyte = 1U << 20U;
// What DPDK takes for itself; measured at 10 MiB with one device, chosen with room.
constexpr std::size_t kOwnBytes = 32 * kMebibyte;
// Without huge pages the amount is fixed at the start, but only what is touched is taken; chosen:
// room for several devices with jumbo frames.
constexpr std::size_t kPlainBytesMin = 256 * kMebibyte;

std::size_t divided_up(std::size_t value, std::size_t by) {
  return (value + by - 1) / by;
}

std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> out;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (std::size_t processor = 0; processor < CPU_SETSIZE; ++processor) {
      if (CPU_ISSET(processor, &set)) {
        out.push_back(static_cast<int>(processor));
      }
    }
  }
  return out;
}

Result<void> initialise(const EalOptions& options) {
  auto words = eal_arguments(options, huge_page_supply(), allowed_processors());
  if (!words) {
    return Failure(words.error());
  }
  log::info("DPDK starts with {}", fmt::join(*words, " "));
  words->insert(words->begin(), "godwitd");
  std::vector<char*> pointers;
  for (std::string& word : *words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  int status = 0;
  int error = 0;
  std::string complaint;
  capture_eal_log();
  std::thread([&] {
    status = rte_eal_init(static_cast<int>(words->size()), pointers.data());
    error = rte_errno;
    complaint = take_eal_complaint();
  }).join();
  if (status < 0) {
    return fail(Code::kIo,
                "DPDK does not start with {}: {} ({}). It must be able to reserve memory: no limit "
                "by `ulimit -v`, and huge_pages = \"never\" does without huge pages",
                fmt::join(words->begin() + 1, words->end(), " "),
                complaint.empty() ? "it says no more" : complaint,
                rte_strerror(error));
  }
  return {};
}

}  // namespace

HugePageSupply huge_page_supply(const std::filesystem::path& folder) {
  constexpr std::string_view kPrefix = "hugepages-";
  const auto number_in = [](const std::filesystem::path& path) {
    std::size_t number = 0;
    std::ifstream(path) >> number;
    return number;
  };
  HugePageSupply best;
  std::error_code error;  // no folder: a kernel without huge pages
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    std::size_t kibibytes = 0;
    if (!name.starts_with(kPrefix) ||
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), kibibytes).ec !=
            std::errc{}) {
      continue;
    }
    const std::size_t free = number_in(entry.path() / "free_hugepages");
    // Promised to others, who have not touched them yet.
    const std::size_t promised = number_in(entry.path() / "resv_hugepages");
    const HugePageSupply supply{.free_pages = free - std::min(free, promised),
                                .page_bytes = kibibytes * 1024};
    if (best.page_bytes == 0 ||
        supply.free_pages * supply.page_bytes > best.free_pages * best.page_bytes) {
      best = supply;
    }
  }
  return best;
}

Result<std::vector<std::string>> eal_arguments(const EalOptions& options,
                                               const HugePageSupply& supply,
                                               const std::vector<int>& processors) {
  const std::size_t bytes = options.memory_bytes + kOwnBytes;
  const std::size_t pages = supply.page_bytes == 0 ? 0 : divided_up(bytes, supply.page_bytes);
  const bool enough = pages > 0 && supply.free_pages >= pages;
  if (options.huge_pages == HugePages::kAlways && !enough) {
    return fail(Code::kFull,
                "DPDK needs {} MiB in huge pages, and {} MiB are free: `sysctl vm.nr_hugepages=N` "
                "reserves more, huge_pages = \"never\" does without",
                divided_up(bytes, kMebibyte),
                supply.free_pages * supply.page_bytes / kMebibyte);
  }
  // One floating lcore: worker threads are ours and run where the system lets them.
  std::vector<std::string> words{"--lcores",
                                 fmt::format("0@({})", fmt::join(processors, ",")),
                                 "--no-telemetry",
                                 "--iova-mode=va"};
  if (enough && options.huge_pages != HugePages::kNever) {
    words.emplace_back("--in-memory");  // no mount, no files, processes side by side
  } else {
    words.insert(words.end(),
                 {"--no-huge",
                  "--no-shconf",
                  "-m",
                  fmt::format("{}", divided_up(std::max(bytes, kPlainBytesMin), kMebibyte))});
  }
  if (options.pci_address.empty()) {
    words.emplace_back("--no-pci");
  } else {
    words.insert(words.end(), {"-a", options.pci_address});
  }
  return words;
}

Result<void> start_eal(const EalOptions& options) {
  static std::mutex mutex;
  static std::optional<Result<void>> outcome;
  const std::lock_guard lock(mutex);
  if (!outcome) {
    outcome = initialise(options);
  }
  return *outcome;
}

}  // namespace godwit::port
