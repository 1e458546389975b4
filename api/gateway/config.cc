#include "api/gateway/config.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/gateway/config_words.h"
#include "api/gateway/paths.h"
#include "api/gateway/policy_order.h"
#include "api/gateway/port_config.h"
#include "api/gateway/site_config.h"
#include "api/gateway/toml_reader.h"
#include "api/gateway/topic_pattern.h"
#include "api/local/names.h"
#include "api/local/records.h"
#include "dataplane/port/dscp.h"

namespace godwit::gateway {
namespace {

constexpr std::size_t kConfigBytesMax = 1 << 20;  // chosen: 100 sites take 20 KiB
// UDP payload, bytes: QUIC's least (RFC 9000 section 14), a 1,500-byte path's and a jumbo path's
// under IPv6.
constexpr std::uint64_t kPacketBytesMin = 1200;
constexpr std::uint64_t kPacketBytes = 1452;
constexpr std::uint64_t kPacketBytesMax = 8952;
constexpr std::uint64_t kMetricsPort = 9471;  // chosen: unassigned, next to Prometheus' usual ones
// Chosen: the smallest topic among three sites may need 18 MiB; no host has more than the other.
constexpr Bytes kMemoryMin = Bytes::mib(32);
constexpr Bytes kMemoryMax = Bytes::mib(std::uint64_t{64} << 20U);
// Chosen: below the first nothing is measured, and no path on Earth comes near the other.
constexpr Duration kRttMin = Duration::us(1);
constexpr Duration kRttMax = Duration::seconds(10);
constexpr Duration kDeadlineMin = Duration::ms(1);  // chosen: half a turn of the worker
constexpr std::size_t kDotsMax = 1000;              // of a line; chosen: 200 addresses

std::string substitute_site(std::string path, std::string_view site) {
  constexpr std::string_view kPlaceholder = TableReader::kSitePlaceholder;
  for (auto at = path.find(kPlaceholder); at != std::string::npos;
       at = path.find(kPlaceholder, at + site.size())) {
    path.replace(at, kPlaceholder.size(), site);
  }
  return path;
}

// Complains of a name that is no site's. Where no site could be read, that was said before.
void expect_site(TableReader& reader,
                 std::string_view key,
                 std::string_view name,
                 const Config& config) {
  if (config.sites.empty() || config.find_site(name) != nullptr) {
    return;
  }
  std::vector<std::string_view> names;
  for (const SiteConfig& site : config.sites) {
    names.push_back(site.name);
  }
  reader.reject(
      key,
      fmt::format("\"{}\" is no site of this file; those are: {}", name, fmt::join(names, ", ")));
}

void read_links(TableReader& root, Problems& problems, Config& config) {
  const toml::array* links = root.array("links");
  if (links == nullptr) {
    return;
  }
  for (const auto& node : *links) {
    if (!node.is_table()) {
      problems.add(node.source(), "[[links]]: must be a table");
      continue;
    }
    TableReader reader(*node.as_table(), "[[links]]", problems);
    LinkConfig link;
    const auto ends = reader.texts("ends");
    if (ends.size() != 2 || ends[0] == ends[1]) {
      reader.reject("ends", "must name two different sites");
      continue;
    }
    for (const auto& end : ends) {
      expect_site(reader, "ends", end, config);
    }
    if (config.find_link(ends[0], ends[1]) != nullptr) {
      reader.reject("ends", "this pair has a link already; one link per pair in this version");
    }
    link.ends[0] = ends[0];
    link.ends[1] = ends[1];
    link.name = reader.text("name", fmt::format("{}-{}", ends[0], ends[1]));
    if (!local::is_name(link.name)) {  // it is a label, and stands in the log
      reader.reject("name", "must be printable ASCII, at most 255 bytes");
    }
    const bool name_is_taken =
        std::any_of(config.links.begin(), config.links.end(), [&](const LinkConfig& other) {
          return other.name == link.name;
        });
    if (link.name.empty() || name_is_taken) {
      reader.reject("name", "must be different for every link, and not empty");
    }
    reader.parsed("cap", &parse_rate, link.cap);
    if (link.cap < BitRate::bps(64'000)) {
      reader.reject("cap", "must be at least 64kbit/s");
    }
    reader.parsed("rtt", &parse_duration, link.rtt);
    if (link.rtt < kRttMin || link.rtt > kRttMax) {
      reader.reject("rtt", "must be from 1us to 10s");
    }
    link.congestion = reader.choice("congestion", "", {"bbr", "cubic"});
    const std::string background =
        reader.choice("background", kYields.front(), {kYields.begin(), kYields.end()});
    link.yields = static_cast<transport::Yields>(
        std::find(kYields.begin(), kYields.end(), background) - kYields.begin());
    link.connections =
        static_cast<std::uint32_t>(reader.whole_number("connections", 1, 1, kShardsMax));
    if (!is_shard_count(link.connections)) {
      reader.reject("connections", "must be a power of two from 1 to 64");
    }
    if (link.yields != transport::Yields::kNothing && link.cap.is_unlimited()) {
      reader.reject("background", "needs a cap, the most that the link may take");
    }
    reader.finish();
    config.links.push_back(std::move(link));
  }
}

void read_policies(TableReader& root, Problems& problems, Config& config) {
  const toml::array* policies = root.array("policies");
  if (policies == nullptr) {
    return;
  }
  std::size_t steps = kPatternSteps;
  for (const auto& node : *policies) {
    if (!node.is_table()) {
      problems.add(node.source(), "[[policies]]: must be a table");
      continue;
    }
    TableReader reader(*node.as_table(), "[[policies]]", problems);
    PolicyConfig policy;
    policy.match = reader.required_text("match");
    if (!policy.match.empty() && !pattern_is_valid(policy.match)) {
      reader.reject("match",
                    "must be parts of topics' names with single '/' between them, at most 255 "
                    "bytes, such as \"ctr/**\"; `*` stands for one whole part, `**` for any number "
                    "of parts");
    }
    policy.allowed = reader.texts("allowed");
    if (reader.has("allowed") && policy.allowed.empty()) {
      reader.reject("allowed", "must name a site; leave the key out to allow every site");
    }
    for (const auto& site : policy.allowed) {
      expect_site(reader, "allowed", site, config);
    }
    std::sort(policy.allowed.begin(), policy.allowed.end());
    const auto twice = std::adjacent_find(policy.allowed.begin(), policy.allowed.end());
    if (twice != policy.allowed.end()) {
      reader.reject("allowed", fmt::format("\"{}\" stands there twice", *twice));
    }
    if (reader.has("class")) {
      policy.traffic_class = reader.choice("class", "normal", {"urgent", "normal", "bulk"});
    }
    if (reader.has("deadline")) {
      Duration deadline = kDeadlineMin;
      reader.parsed("deadline", &parse_duration, deadline);
      if (deadline < kDeadlineMin || deadline > local::kLongestDeadline) {
        reader.reject("deadline", "must be from 1ms to 2400h; leave the key out for none");
      }
      policy.deadline = deadline;
    }
    if (reader.has("tolerance")) {
      policy.tolerance = reader.number("tolerance", 0, 0, local::kToleranceMax);
    }
    if (const toml::table* filter =
            reader.table("significance", "{ filter = \"relative\", threshold = 0.01 }")) {
      TableReader inner(*filter, "[[policies]] significance", problems);
      inner.choice("filter", "relative", {"relative"});
      policy.significance = inner.number("threshold", 0.01, 0, local::kThresholdMax);
      policy.significance_decays =
          inner.choice("decay", "1/sqrt(t)", {"1/sqrt(t)", "none"}) == "1/sqrt(t)";
      inner.finish();
    }
    reader.finish();
    if (!pattern_is_valid(policy.match)) {
      continue;
    }
    if (const auto wrong = order_problem(config.policies, policy, config.sites, steps)) {
      reader.reject("match", *wrong);
    }
    config.policies.push_back(std::move(policy));
  }
}

// A table, even an empty one, switches marking on; what it does not name has the standard's value.
void read_dscp(TableReader& root, Problems& problems, Config& config) {
  const toml::table* table = root.table("dscp");
  if (table == nullptr) {
    return;
  }
  config.markings = transport::Markings::standard();
  TableReader reader(*table, "[dscp]", problems);
  for (std::size_t index = 0; index < kDscpKeys.size(); ++index) {
    reader.parsed(kDscpKeys[index], &port::parse_dscp, config.markings->codepoints[index]);
  }
  reader.finish();
}

void check_sockets(TableReader& self, const Config& config) {
  if (const auto wrong = socket_path_problem(config.admin)) {
    self.reject("admin", *wrong);
  }
  for (std::uint32_t worker = 0; worker < config.workers; ++worker) {
    const std::string path = numbered(config.client, worker);
    const std::string whose =
        worker == 0 ? "`client`" : fmt::format("`client` of worker {}", worker);
    if (const auto wrong = socket_path_problem(path)) {
      self.reject("client", *wrong);
      break;
    }
    if (is_same_path(config.admin, path)) {
      self.reject("admin", fmt::format("is the path of {}, too; each socket has its own", whose));
    }
    for (const auto& [key, directory] :
         {std::pair("state_dir", config.state_dir), std::pair("durable_dir", config.durable_dir)}) {
      if (is_same_path(path, directory)) {
        self.reject(key, fmt::format("is the path of {}, too, which is a socket", whose));
      }
    }
  }
}

void read_self(TableReader& root, Problems& problems, const Overrides& overrides, Config& config) {
  static const toml::table kEmpty;
  const toml::table* table = root.table("self");
  TableReader self(table != nullptr ? *table : kEmpty, "[self]", problems);
  config.site = self.text("site", "");
  if (overrides.site) {
    config.site = *overrides.site;
  }
  if (!self.has("site") && !overrides.site) {
    self.reject("site", "is missing; name one of the sites of this file, here or by --site");
  } else {
    expect_site(self, "site", config.site, config);
  }
  const auto path = [&](std::string_view key, std::string_view fallback) {
    const std::string value = self.text(key, fallback);
    if (value.empty()) {
      self.reject(key, "must not be empty");
    }
    self.expect_path(key, value);
    return substitute_site(value, config.site);
  };
  config.state_dir = path("state_dir", "/dev/shm/godwit/{site}");
  config.durable_dir = path("durable_dir", "/var/lib/godwit/{site}");
  const bool are_named = !config.state_dir.empty() && !config.durable_dir.empty();
  if (are_named && (is_inside(config.state_dir, config.durable_dir) ||
                    is_inside(config.durable_dir, config.state_dir))) {
    // Whoever empties the one, as after a host's restart, must not take the counter along.
    self.reject(self.has("state_dir") ? "state_dir" : "durable_dir",
                fmt::format("{} and {} are one place, or one lies in the other; state_dir and "
                            "durable_dir need a directory of their own each",
                            config.state_dir,
                            config.durable_dir));
  }
  config.client = path("client", "/run/godwit/{site}/client.sock");
  config.admin = path("admin", "/run/godwit/{site}/admin.sock");
  const std::uint64_t metrics = self.whole_number("metrics_port", kMetricsPort, 0, 65535);
  if (metrics > 0) {
    config.metrics_port = static_cast<std::uint16_t>(metrics);
  }
  config.congestion = self.choice("congestion", "bbr", {"bbr", "cubic"});
  config.packet_bytes =
      self.whole_number("packet_bytes", kPacketBytes, kPacketBytesMin, kPacketBytesMax);
  self.parsed("memory", &parse_bytes, config.memory);
  if (config.memory < kMemoryMin || config.memory > kMemoryMax) {
    self.reject("memory", "must be from 32MiB to 65536GiB");
  }
  config.workers = static_cast<std::uint32_t>(self.whole_number("workers", 1, 1, kShardsMax));
  if (!is_shard_count(config.workers)) {
    self.reject("workers", "must be a power of two from 1 to 64");
    config.workers = 1;
  }
  check_sockets(self, config);
  self.finish();
  config.port = read_port(root.table("port"), overrides.port, problems);
  config.port.capture = substitute_site(config.port.capture, config.site);

  const toml::table* tls = root.table("tls");
  if (tls == nullptr) {
    root.reject("tls", "is missing: gateways speak only mutual TLS; see `godwit cert --help`");
    return;
  }
  TableReader reader(*tls, "[tls]", problems);
  const auto file = [&](std::string_view key) {
    const std::string value = reader.required_text(key);
    reader.expect_path(key, value);
    return substitute_site(value, config.site);
  };
  config.certificate = file("cert");
  config.key = file("key");
  config.authority = file("ca");
  reader.finish();
}

// The parser goes a level down for every dot of a key, on the stack.
Result<void> expect_flat(std::string_view text, std::string_view file) {
  std::size_t line = 1;
  std::size_t dots = 0;
  for (const char c : text) {
    line += c == '\n' ? 1U : 0U;
    dots = c == '\n' ? 0 : dots + (c == '.' ? 1U : 0U);
    if (dots > kDotsMax) {
      return fail(Code::kInvalid, "{}:{}:1: a line has at most {} dots", file, line, kDotsMax);
    }
  }
  return {};
}

}  // namespace

const SiteConfig* Config::find_site(std::string_view name) const {
  const auto at =
      std::find_if(sites.begin(), sites.end(), [&](const auto& s) { return s.name == name; });
  return at == sites.end() ? nullptr : &*at;
}

const SiteConfig* Config::find_site(SiteId id) const {
  const auto at =
      std::find_if(sites.begin(), sites.end(), [&](const auto& s) { return s.id == id; });
  return at == sites.end() ? nullptr : &*at;
}

const LinkConfig* Config::find_link(std::string_view one, std::string_view other) const {
  const auto at = std::find_if(links.begin(), links.end(), [&](const auto& link) {
    return (link.ends[0] == one && link.ends[1] == other) ||
           (link.ends[0] == other && link.ends[1] == one);
  });
  return at == links.end() ? nullptr : &*at;
}

const PolicyConfig& Config::policy_for(std::string_view topic) const {
  static const PolicyConfig kDefault;
  const auto at = std::find_if(policies.begin(), policies.end(), [&](const auto& policy) {
    return topic_matches(policy.match, topic);
  });
  return at == policies.end() ? kDefault : *at;
}

bool Config::may_hold(std::string_view topic, std::string_view site_name) const {
  const auto& allowed = policy_for(topic).allowed;
  return allowed.empty() || std::find(allowed.begin(), allowed.end(), site_name) != allowed.end();
}

Result<Config> parse_config(std::string_view text,
                            std::string_view file,
                            const Overrides& overrides) {
  if (auto flat = expect_flat(text, file); !flat) {
    return Failure(flat.error());
  }
  toml::table document;
  try {
    document = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    return fail(Code::kInvalid,
                "{}:{}:{}: {}",
                file,
                error.source().begin.line,
                error.source().begin.column,
                error.description());
  }
  Problems problems(file);
  Config config;
  config.file = file;
  TableReader root(document, std::string(TableReader::kWholeFile), problems);
  if (!root.has("version")) {
    root.reject("version", "is missing; write `version = 1`");
  }
  root.whole_number("version", 1, 1, 1);
  read_sites(root, problems, config);
  read_self(root, problems, overrides, config);
  check_endpoints(document, problems, config);
  read_links(root, problems, config);
  read_policies(root, problems, config);
  read_dscp(root, problems, config);
  for (const auto& site : config.sites) {
    const LinkConfig* link = config.find_link(config.site, site.name);
    const std::uint32_t connections = link != nullptr ? link->connections : 1;
    if (site.name != config.site && is_shard_count(config.workers) &&
        connections < config.workers) {
      problems.add(document["self"]["workers"].node()->source(),
                   fmt::format("[self] workers: is {}, and each needs a connection of its own to "
                               "{}: give the link [[links]] connections = {} or more, not {}",
                               config.workers,
                               site.name,
                               config.workers,
                               connections));
    }
  }
  root.finish();
  if (problems.empty()) {
    const std::string endpoint = listen_endpoint(*config.find_site(config.site));
    check_port(root.table("port"), config.port, endpoint, problems);
    const auto port = port_options(config.port, endpoint, 0, config.workers);
    if (!port && problems.empty()) {
      root.reject("port", port.error().message);
    }
  }
  if (!problems.empty()) {
    return fail(Code::kInvalid, "{}", problems.text());
  }
  return config;
}

Result<Config> load_config(const std::string& path, const Overrides& overrides) {
  if (is_directory(path)) {
    return fail(Code::kInvalid, "{}: is a directory; give the path of a configuration file", path);
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return fail(Code::kNotFound, "{}: cannot be read; give the path of a configuration file", path);
  }
  std::string text(kConfigBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) {
    return fail(Code::kIo, "{}: reading it failed; see whether its disk is whole", path);
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kConfigBytesMax) {
    return fail(Code::kInvalid, "{}: is over {} bytes", path, kConfigBytesMax);
  }
  return parse_config(text, path, overrides);
}

}  // namespace godwit::gateway
