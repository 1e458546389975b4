// A few gateways on this host, each a site of its own, for trying things out.
//
// `init` makes a folder with an authority, certificates and one configuration file for all sites;
// `up` starts a godwitd for each; `down` ends exactly those. Traffic stays on loopback. Delays and
// losses of a WAN are bench/wan's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::cli {

struct LabPlan {
  std::size_t sites = 3;            // [2, kLabSitesMax]
  std::uint16_t first_port = 7443;  // UDP; one per site from here on
  std::string cap = "100Mbit/s";    // of every link
};

inline constexpr std::size_t kLabSitesMax = 11;

class Lab {
 public:
  // `folder` becomes absolute; nothing is read or written yet.
  explicit Lab(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path config() const { return folder_ / "godwit.toml"; }
  bool exists() const;

  // Writes everything; never overwrites a lab that is there.
  Result<void> init(const LabPlan& plan) const;

  // The sites of the configuration, in order of name.
  Result<std::vector<std::string>> sites() const;
  std::string admin_socket(const std::string& site) const;

  // Starts the gateways that do not run yet and returns their sites.
  Result<std::vector<std::string>> start() const;
  // Ends those that run, gently at first, and returns their sites.
  Result<std::vector<std::string>> stop() const;
  bool runs(const std::string& site) const;
  // The last line of its gateway's log: why it ended.
  std::string last_words(const std::string& site) const;

 private:
  // The process of a site's gateway, 0 when it does not run. A number that was given to another
  // program since does not count.
  int process_of(const std::string& site) const;

  std::filesystem::path folder_;
};

}  // namespace godwit::cli
