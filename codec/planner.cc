#include "codec/planner.h"

#include <algorithm>
#include <bit>

#include "codec/fixed_rate/format.h"

namespace godwit::codec {
namespace {

// Chosen: a hundredth of what planes cost, if fixed rates take a quarter of it.
constexpr std::uint32_t kPlanesEvery = 64;
// Weight of the newest tile. Chosen: some dozens count.
constexpr double kNewest = 1.0 / 16;
// Of a line of 64, so that a sixteenth of the tile is looked at.
constexpr std::size_t kLine = 64;
constexpr std::size_t kSampled = 4;

bool is_dense(std::span<const std::int64_t> open, std::uint64_t floor) {
  const auto most = static_cast<std::int64_t>(std::min(floor, std::uint64_t{kValueLimit}));
  std::size_t looked_at = 0;
  std::size_t above = 0;
  for (std::size_t line = 0; line < open.size(); line += kLine) {
    for (const std::int64_t value : open.subspan(line, std::min(kSampled, open.size() - line))) {
      ++looked_at;
      above += value > most || value < -most ? 1U : 0U;
    }
  }
  return 2 * above >= looked_at;
}

std::size_t bucket_of(std::size_t bytes) {
  return std::bit_width(bytes);
}

}  // namespace

std::optional<Id> Planner::fixed_rate(std::span<const std::int64_t> open,
                                      Budget budget,
                                      double link_ns_per_byte,
                                      Accepts accepts) {
  const auto fits = [&](unsigned bits) {
    return fixed_rate::coded_bytes(bits, open.size()) <= budget.bytes;
  };
  const bool is_q8 = accepts.q8 && fits(8);
  if (link_ns_per_byte <= 0 || (!is_q8 && !(accepts.q4 && fits(4)))) {
    return std::nullopt;
  }
  const std::size_t bytes = fixed_rate::coded_bytes(is_q8 ? 8 : 4, open.size());
  // 0 where it is not known, so that planes go first.
  if (ns_per_byte_.at(bucket_of(bytes)) <= link_ns_per_byte || !is_dense(open, budget.floor)) {
    return std::nullopt;
  }
  if (++turn_ % kPlanesEvery == 0) {
    return std::nullopt;
  }
  return is_q8 ? Id::kQ8 : Id::kQ4;
}

void Planner::learn(const Encoded& encoded, double nanoseconds) {
  if (encoded.id != Id::kBpc || encoded.bytes == 0) {
    return;
  }
  double& known = ns_per_byte_.at(std::min(bucket_of(encoded.bytes), ns_per_byte_.size() - 1));
  const double now = nanoseconds / static_cast<double>(encoded.bytes);
  known = known == 0 ? now : known + kNewest * (now - known);
}

}  // namespace godwit::codec
