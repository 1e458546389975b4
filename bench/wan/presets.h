// The WANs that have a name, as data, and the plan that one of them gives for some sites.
//
// The table is in presets.cc, with the source of every figure. Links are alike in both directions;
// a link's queue is one bandwidth-delay product of the round trip, at least 64 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/wan/plan.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

enum class PresetShape : std::uint8_t {
  kUniform,  // all pairs alike, any number of sites
  kMatrix,   // a figure per pair of named regions
  kDrawn,    // drawn from a seed, any number of sites
};

struct Preset {
  std::string_view name;  // what --wan takes; a drawn one is followed by ":SEED"
  PresetShape shape = PresetShape::kUniform;
  double rate_mbit = 0;                       // kUniform
  double rtt_ms = 0;                          // kUniform
  std::uint64_t queue_kib = 0;                // kUniform; 0: the rule above
  std::span<const std::string_view> regions;  // kMatrix, in the order in which N sites are taken
  std::string_view summary;
  std::string_view source;
};

std::span<const Preset> presets();

// How fast the line is that all pairs of a site share.
struct SharedLineRule {
  enum class Kind : std::uint8_t {
    kNone,  // pairs do not share a line
    kMax,   // as fast as the fastest of the site's pairs
    kSum,   // as fast as all of them together
    kRate,  // `rate`
  };
  Kind kind = Kind::kNone;
  BitRate rate = BitRate::unlimited();
};

// "none", "max", "sum", or a rate as 100mbit.
Result<SharedLineRule> parse_shared_line(std::string_view text);

struct PlanRequest {
  std::string preset;
  std::size_t sites = 0;
  // Empty: the preset's own names. All of them regions of a matrix: those regions. Otherwise they
  // stand for the preset's sites in order.
  std::vector<std::string> names;
  // Keeps the delays; no rate, no loss, no shared line.
  bool unlimited = false;
  SharedLineRule uplink;
  SharedLineRule downlink;
};

Result<Plan> make_plan(const PlanRequest& request);

}  // namespace godwit::wan
