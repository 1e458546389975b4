#include "bench/wan/presets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "bench/wan/quantities.h"
#include "dataplane/base/random.h"

namespace godwit::wan {

namespace {

constexpr std::size_t kRegions = 11;

// The order in which N sites are taken: the first five lie on four continents and their pairs span
// 17 to 154 Mbit/s and 74 to 328 ms.
constexpr std::array<std::string_view, kRegions> kRegionNames{
    "VA", "SP", "IE", "TK", "SG", "CA", "SY", "FR", "MB", "SE", "OR"};

// The two tables below keep the order of the publication: Virginia, California, Oregon, Ireland,
// Frankfurt, Tokyo, Seoul, Singapore, Sydney, Mumbai, São Paulo.
constexpr std::array<std::string_view, kRegions> kTableOrder{
    "VA", "CA", "OR", "IE", "FR", "TK", "SE", "SG", "SY", "MB", "SP"};

using Matrix = std::array<std::array<double, kRegions>, kRegions>;

// Round trips in ms: ten regions as measured in April 2017
// (acomputerscientistlearnsaws.blogspot.com); Mumbai from later public values, approximate.
// Upper half only; the lower half is read mirrored.
constexpr Matrix kRoundTripMs{{
    {0, 73, 87, 81, 89, 145, 178, 217, 230, 187, 120},
    {0, 0, 20, 153, 167, 102, 132, 174, 158, 240, 193},
    {0, 0, 0, 137, 160, 89, 118, 161, 162, 220, 183},
    {0, 0, 0, 0, 20, 212, 242, 239, 310, 122, 191},
    {0, 0, 0, 0, 0, 236, 266, 326, 324, 110, 195},
    {0, 0, 0, 0, 0, 0, 31, 74, 104, 125, 257},
    {0, 0, 0, 0, 0, 0, 0, 72, 134, 135, 286},
    {0, 0, 0, 0, 0, 0, 0, 0, 175, 60, 328},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 225, 322},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 305},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
}};

// Rates in Mbit/s. Gaia (Hsieh et al., NSDI 2017, figure 1) prints its 55 values as a graphic only;
// these are derived from the round trips so that every aggregate of the text holds (the LAN of
// 1,005.6 Mbit/s is 15 times their mean and 60 times their least, 16.76; the greatest is 12 times
// the least): min(201, 16.76 · (328.1 / RTT)^1.488).
constexpr Matrix kRateMbit{{
    {0, 158, 121, 135, 117, 56, 41, 31, 28, 39, 75},
    {0, 0, 201, 52, 46, 95, 65, 43, 50, 27, 37},
    {0, 0, 0, 61, 49, 117, 76, 48, 48, 30, 40},
    {0, 0, 0, 0, 201, 32, 26, 27, 18, 73, 37},
    {0, 0, 0, 0, 0, 27, 23, 17, 17, 85, 36},
    {0, 0, 0, 0, 0, 0, 201, 154, 93, 70, 24},
    {0, 0, 0, 0, 0, 0, 0, 160, 64, 63, 21},
    {0, 0, 0, 0, 0, 0, 0, 0, 43, 201, 17},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 29, 17},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 19},
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
}};

// The LAN's queue is that of a switch port, not of a path: with 64 KiB, one TCP CUBIC connection
// reaches 594 Mbit/s of it, with 512 KiB 873 (measured on a busy machine).
// bench/lab/wan.py reads names and shapes of this table as text, before anything is built.
constexpr std::array<Preset, 5> kPresets{{
    {"lan",
     PresetShape::kUniform,
     1005,
     0.5,
     512,
     {},
     "one data centre",
     "Gaia's LAN between EC2 machines, 60 times its slowest WAN pair (NSDI 2017, section 2.2)"},
    {"ec2-vc",
     PresetShape::kUniform,
     160,
     73,
     0,
     {},
     "Virginia to California, a fast WAN",
     "a near pair of the matrix below; every pair alike"},
    {"ec2-ss",
     PresetShape::kUniform,
     16.76,
     328,
     0,
     {},
     "Singapore to Sao Paulo, the slowest WAN",
     "Gaia's slowest pair: the LAN divided by 60; round trip measured in 2017; every pair alike"},
    {"ec2-all",
     PresetShape::kMatrix,
     0,
     0,
     0,
     kRegionNames,
     "eleven EC2 regions",
     "derived from measured round trips so that the aggregates published in Gaia hold"},
    {"random",
     PresetShape::kDrawn,
     0,
     0,
     0,
     {},
     "random:SEED draws each pair: 5-500 Mbit/s (log-uniform), 5-400 ms, 0-1 % loss",
     "drawn"},
}};

// The ranges of the drawn preset. Chosen: from a bad uplink at the other end of the world to a good
// line inside a continent.
constexpr double kDrawnRateMbitMin = 5;
constexpr double kDrawnRateMbitMax = 500;
constexpr double kDrawnRttMsMin = 5;
constexpr double kDrawnRttMsMax = 400;
constexpr double kDrawnLossMax = 0.01;

LinkSettings link_of(double rate_mbit, double rtt_ms, double loss) {
  LinkSettings settings;
  settings.rate = BitRate::mbps(rate_mbit);
  settings.delay = Duration::ns(std::llround(rtt_ms * 1e6 / 2));
  settings.loss = loss;
  settings.queue = default_queue(settings.rate, settings.delay);
  return settings;
}

std::size_t table_row(std::string_view region) {
  return static_cast<std::size_t>(std::find(kTableOrder.begin(), kTableOrder.end(), region) -
                                  kTableOrder.begin());
}

LinkSettings matrix_link(std::string_view from, std::string_view to) {
  const auto [low, high] = std::minmax({table_row(from), table_row(to)});
  return link_of(kRateMbit[low][high], kRoundTripMs[low][high], 0);
}

// A pair's draw depends on the seed and the two positions only, so that the first sites of a large
// WAN are the small one of the same seed.
LinkSettings drawn_link(std::uint64_t seed, std::size_t a, std::size_t b) {
  const auto [low, high] = std::minmax({a, b});
  Random random((seed * kSitesMax + low) * kSitesMax + high);
  const double span = std::log(kDrawnRateMbitMax / kDrawnRateMbitMin);
  const double rate = kDrawnRateMbitMin * std::exp(span * random.uniform());
  const double rtt = kDrawnRttMsMin + (kDrawnRttMsMax - kDrawnRttMsMin) * random.uniform();
  return link_of(rate, rtt, kDrawnLossMax * random.uniform());
}

std::string names_of_presets() {
  std::string names;
  for (const Preset& preset : kPresets) {
    names += names.empty() ? "" : ", ";
    names += preset.name;
    names += preset.shape == PresetShape::kDrawn ? ":SEED" : "";
  }
  return names;
}

struct Choice {
  const Preset* preset = nullptr;
  std::uint64_t seed = 0;
};

Result<Choice> choose(std::string_view text) {
  for (const Preset& preset : kPresets) {
    if (preset.shape != PresetShape::kDrawn) {
      if (text == preset.name) {
        return Choice{&preset, 0};
      }
      continue;
    }
    if (!text.starts_with(preset.name) || text.substr(preset.name.size(), 1) != ":") {
      continue;
    }
    const std::string_view digits = text.substr(preset.name.size() + 1);
    std::uint64_t seed = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
      return fail(
          Code::kInvalid, "seed '{}' of preset {}; allowed: 0 to 2^64-1", digits, preset.name);
    }
    return Choice{&preset, seed};
  }
  return fail(Code::kNotFound, "no preset '{}'; there are: {}", text, names_of_presets());
}

bool is_site_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), fits);
}

Result<std::vector<std::string>> site_names(const PlanRequest& request, const Preset& preset) {
  std::vector<std::string> names = request.names;
  if (names.empty()) {
    for (std::size_t i = 0; i < request.sites; ++i) {
      names.push_back(i < preset.regions.size() ? std::string(preset.regions[i])
                                                : "site" + std::to_string(i));
    }
  }
  if (names.size() != request.sites) {
    return fail(Code::kInvalid, "{} site names for {} sites", names.size(), request.sites);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_site_name(names[i])) {
      return fail(
          Code::kInvalid, "site name '{}'; allowed: 1 to 32 of a-z A-Z 0-9 - _ .", names[i]);
    }
    if (std::count(names.begin(), names.end(), names[i]) > 1) {
      return fail(Code::kInvalid, "two sites are named '{}'", names[i]);
    }
  }
  return names;
}

// The region of each site of a matrix.
std::vector<std::string_view> regions_of(const std::vector<std::string>& names,
                                         const Preset& preset) {
  std::vector<std::string_view> regions;
  for (const std::string& name : names) {
    const auto found = std::find(preset.regions.begin(), preset.regions.end(), name);
    if (found == preset.regions.end()) {
      return {preset.regions.begin(), preset.regions.end()};
    }
    regions.push_back(*found);
  }
  return regions;
}

// A shared line holds what its fastest pair's queue would.
std::optional<Line> shared_line(const SharedLineRule& rule,
                                const std::vector<LinkSettings>& pairs) {
  if (rule.kind == SharedLineRule::Kind::kNone || pairs.empty()) {
    return std::nullopt;
  }
  std::uint64_t most = 0;
  std::uint64_t sum = 0;
  Duration longest;
  for (const LinkSettings& pair : pairs) {
    most = std::max(most, pair.rate.bits_per_second());
    sum += pair.rate.bits_per_second();
    longest = std::max(longest, pair.delay);
  }
  BitRate rate = rule.rate;
  if (rule.kind != SharedLineRule::Kind::kRate) {
    rate = BitRate::bps(rule.kind == SharedLineRule::Kind::kMax ? most : sum);
  }
  return rate.is_unlimited() ? std::nullopt
                             : std::optional(Line{rate, default_queue(rate, longest)});
}

void add_shared_lines(const PlanRequest& request, Plan& plan) {
  const std::size_t sites = plan.sites.size();
  for (std::size_t i = 0; i < sites; ++i) {
    std::vector<LinkSettings> out;
    std::vector<LinkSettings> in;
    for (std::size_t j = 0; j < sites; ++j) {
      if (j != i) {
        out.push_back(plan.link(i, j));
        in.push_back(plan.link(j, i));
      }
    }
    const SharedLineRule none;
    plan.uplinks.push_back(shared_line(request.unlimited ? none : request.uplink, out));
    plan.downlinks.push_back(shared_line(request.unlimited ? none : request.downlink, in));
  }
}

}  // namespace

std::span<const Preset> presets() {
  return kPresets;
}

Result<SharedLineRule> parse_shared_line(std::string_view text) {
  using Kind = SharedLineRule::Kind;
  if (text == "none") {
    return SharedLineRule{};
  }
  if (text == "max" || text == "sum") {
    return SharedLineRule{text == "max" ? Kind::kMax : Kind::kSum, BitRate::unlimited()};
  }
  const auto rate = parse_rate(text);
  if (!rate) {
    return fail(
        Code::kInvalid, "shared line '{}'; allowed: none, max, sum, or a rate as 100mbit", text);
  }
  return SharedLineRule{Kind::kRate, *rate};
}

Result<Plan> make_plan(const PlanRequest& request) {
  const auto choice = choose(request.preset);
  if (!choice) {
    return tl::unexpected(choice.error());
  }
  const Preset& preset = *choice->preset;
  const std::size_t most = preset.regions.empty() ? kSitesMax : preset.regions.size();
  if (request.sites < 2 || request.sites > most) {
    return fail(
        Code::kInvalid, "{} sites; preset {} allows 2 to {}", request.sites, request.preset, most);
  }
  auto names = site_names(request, preset);
  if (!names) {
    return tl::unexpected(names.error());
  }
  Plan plan;
  plan.preset = request.preset;
  plan.unlimited = request.unlimited;
  plan.sites = std::move(*names);
  plan.links.resize(request.sites * request.sites);
  const auto regions = regions_of(plan.sites, preset);
  for (std::size_t i = 0; i < request.sites; ++i) {
    for (std::size_t j = 0; j < request.sites; ++j) {
      if (i == j) {
        continue;
      }
      LinkSettings settings;
      switch (preset.shape) {
        case PresetShape::kUniform:
          settings = link_of(preset.rate_mbit, preset.rtt_ms, 0);
          settings.queue = std::max(settings.queue, Bytes::kib(preset.queue_kib));
          break;
        case PresetShape::kMatrix:
          settings = matrix_link(regions[i], regions[j]);
          break;
        case PresetShape::kDrawn:
          settings = drawn_link(choice->seed, i, j);
          break;
      }
      if (request.unlimited) {
        settings.rate = BitRate::unlimited();
        settings.loss = 0;
        settings.queue = default_queue(settings.rate, settings.delay);
      }
      plan.link(i, j) = settings;
    }
  }
  add_shared_lines(request, plan);
  return plan;
}

}  // namespace godwit::wan
