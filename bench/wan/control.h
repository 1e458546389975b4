// The requests of the control socket: one JSON object in, one JSON line out.
//
// Pure: it reads a line, acts on the Network, and says what happened. A request that is not
// understood changes nothing; its error names what is allowed. The shapes are in README.md.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/wan/network.h"
#include "bench/wan/presets.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::wan {

// The longest request line; the longest valid one has about 300 bytes.
inline constexpr std::size_t kRequestBytesMax = 4096;

// Figures of one site that only its TAP device knows.
struct TapFigures {
  std::uint64_t drops = 0;         // the emulator was too slow to take them
  std::uint64_t write_errors = 0;  // the site's kernel refused them
  std::uint64_t frames_in = 0;     // all that the site sent, whatever became of them
  std::uint64_t frames_out = 0;    // all that it was given
};

class Control {
 public:
  // `ready` is the answer to "sites" (the ready line). `request` is what the plan came from; its
  // shared lines apply to later presets too. `tap_figures(site)` is asked by "stats".
  Control(Network& network,
          PlanRequest request,
          nlohmann::ordered_json ready,
          std::function<TapFigures(std::size_t)> tap_figures,
          Instant now);

  // The answer to one line, without the line's end. `line` may be anything.
  std::string answer(Instant now, std::string_view line);

 private:
  using Json = nlohmann::ordered_json;
  using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

  Result<Json> dispatch(Instant now, const Json& request);
  Result<Json> set(Instant now, const Json& request);
  Result<Json> preset(Instant now, const Json& request);
  Json stats(Instant now) const;
  Json links() const;
  void reset(Instant now);

  Result<std::size_t> site(const Json& request, const char* key) const;
  Result<Pairs> pairs(const Json& request) const;

  Network& network_;
  PlanRequest request_;
  Json ready_;
  std::function<TapFigures(std::size_t)> tap_figures_;
  std::vector<TapFigures> tap_at_reset_;
  Instant reset_at_;
};

}  // namespace godwit::wan
