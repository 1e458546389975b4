#include "codec/bpc/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/bpc/step_choice.h"
#include "dataplane/base/assert.h"

namespace godwit::codec::bpc {
namespace {

constexpr std::size_t kSegmentsMax = 2 * kPlanes - 1;

// A code is never longer than the longest RAW tile plus the segment that went over it.
constexpr std::size_t kScratchBytes = coded_bytes_max(kTileElements) + 2 * kSegmentBytesMax;

// A step at which the tile has at most 16 planes, most probably, from one line in 64. The largest
// of 32,768 is rarely four times the largest of 512; 13 planes are left at least.
int guessed_shift(std::span<const std::int64_t> open) {
  constexpr std::size_t kLine = 8;
  constexpr std::size_t kStride = 64 * kLine;
  std::uint64_t bits = 0;
  for (std::size_t line = 0; line < open.size(); line += kStride) {
    for (std::size_t i = line; i < std::min(line + kLine, open.size()); ++i) {
      bits |= static_cast<std::uint64_t>(open[i] < 0 ? -open[i] : open[i]);
    }
  }
  const int high_bit = bits == 0 ? 0 : static_cast<int>(floor_log2(bits));
  return std::clamp(high_bit + 2 - (kPlanes - 1), 0, kShiftMax);
}

}  // namespace

struct Encoder::Buffers {
  alignas(64) std::array<std::uint16_t, kTileElements> magnitudes{};
  SubSummaries summaries{};
  Maps maps{};
  Strings strings{};
  std::array<std::uint8_t, kScratchBytes> code{};
  std::array<Segment, kSegmentsMax> segments;
};

Encoder::Encoder() : buffers_(std::make_unique<Buffers>()) {}
Encoder::~Encoder() = default;

void Encoder::load(std::span<const std::int64_t> open) {
  GODWIT_ASSERT(!open.empty() && open.size() <= kTileElements);
  open_ = open;
  segment_count_ = 0;
  Buffers& b = *buffers_;
  const auto run = [&](int shift) {
    analyse(open.data(), open.size(), shift, b.summaries, b.magnitudes.data(), b.maps.signs.data());
  };
  int shift = guessed_shift(open);
  run(shift);
  const std::size_t subs = sub_blocks_of(open.size());
  max_abs_ = *std::max_element(b.summaries.max.begin(), b.summaries.max.begin() + subs);
  energy_ = 0;
  for (std::size_t sub = 0; sub < subs; ++sub) {
    energy_ += b.summaries.energy[sub];
  }
  GODWIT_ASSERT(max_abs_ < std::uint64_t{kValueLimit}, "the door lets nothing larger in");
  const int high_bit = max_abs_ == 0 ? 0 : static_cast<int>(floor_log2(max_abs_));
  const int least = std::max(0, high_bit - (kPlanes - 1));
  if (shift < least || least == 0) {
    // Too large for 16 planes, or exact with a step of one quantum.
    if (shift != least) {
      run(least);
    }
    shift = least;
  }
  loaded_ = step_ = {.shift = shift};
}

// Of the magnitudes in the buffers.
void Encoder::set_step(StepSize step) const {
  if (step_.quarter == step.quarter) {
    return;
  }
  Buffers& b = *buffers_;
  quantise(open_.data(), open_.size(), step, b.summaries, b.magnitudes.data());
  step_ = step;
}

// The step for a budget, between the loaded one and twice that.
StepSize Encoder::fitting_step(std::size_t room, std::uint64_t unit) const {
  if (!finer_steps_ || !may_be_finer(loaded_.shift)) {
    return loaded_;
  }
  set_step(loaded_);
  const Buffers& b = *buffers_;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): what is read is written.
  alignas(64) std::array<std::uint16_t, kSubBlocks * 32> sample;
  const std::size_t each = open_.size() <= sample.size() ? kSubBlock : 32;
  std::size_t sampled = 0;
  std::size_t counted = 0;
  for (std::size_t sub = 0; sub < sub_blocks_of(open_.size()); ++sub) {
    const std::size_t count = std::min(each, open_.size() - sub * kSubBlock);
    counted += count;
    if (b.summaries.max[sub] >> static_cast<unsigned>(loaded_.shift) != 0) {
      const std::size_t padded = std::min(each, words_of(count) * kWordBits);
      std::copy_n(&b.magnitudes[sub * kSubBlock], padded, &sample[sampled]);
      sampled += padded;
    }
  }
  const auto elements = static_cast<double>(open_.size());
  const int quarter = choose_quarter({.sample = std::span(sample).first(sampled),
                                      .scale = elements / static_cast<double>(counted),
                                      .elements = elements,
                                      .top = static_cast<int>(floor_log2(max_abs_)) - loaded_.shift,
                                      .room = 8.0 * static_cast<double>(room - kHeaderBytes),
                                      .unit = unit >> static_cast<unsigned>(loaded_.shift)});
  return {loaded_.shift, quarter};
}

// The plane's bitmap; sub-blocks that are still all zero are not looked at.
void Encoder::extract(int plane) {
  Buffers& b = *buffers_;
  const std::size_t subs = sub_blocks_of(open_.size());
  const auto zero_below = static_cast<unsigned>(extent_.step.shift + plane);
  for (std::size_t sub = 0; sub < subs; ++sub) {
    const std::size_t word = sub * kSubWords;
    const std::size_t words = std::min(kSubWords, words_of(open_.size()) - word);
    std::fill_n(b.maps.bits.begin() + word, kSubWords, 0);
    if (b.summaries.max[sub] >> zero_below != 0) {
      extract_plane(&b.magnitudes[word * kWordBits], words, plane, &b.maps.bits[word]);
    }
  }
  bit_writing().mark_fresh(b.maps, 0, subs);
}

// How many sub-blocks of the current plane's significance go into `room` bytes, by estimate.
std::size_t Encoder::fitting_cut(std::size_t room) const {
  const Maps& maps = buffers_->maps;
  const std::size_t subs = sub_blocks_of(open_.size());
  double all_pending = 0;
  double all_fresh = 0;
  for (std::size_t sub = 0; sub < subs; ++sub) {
    all_pending -= maps.significant_count[sub];
    all_fresh += maps.fresh_count[sub];
  }
  all_pending += static_cast<double>(open_.size());
  // Without contexts it is longer.
  if (string_bits(all_fresh, all_pending) + all_fresh + 16 * kClasses <
      8.0 * static_cast<double>(room)) {
    return subs;
  }
  std::array<double, kClasses> length{};
  std::array<double, kClasses> ones{};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the loop writes all that is read.
  std::array<double, kSubBlocks> pending;
  for (std::size_t sub = 0; sub < subs; ++sub) {
    const std::size_t existing = std::min(kSubBlock, open_.size() - sub * kSubBlock);
    const std::size_t index = class_of(maps.significant_count[sub]);
    pending[sub] = static_cast<double>(existing - maps.significant_count[sub]);
    length[index] += pending[sub];
    ones[index] += maps.fresh_count[sub];
  }
  // The average cost of a one and of a zero in each class, in bits.
  std::array<double, kClasses> one_bits{};
  std::array<double, kClasses> zero_bits{};
  double bits = 0;
  for (std::size_t index = 0; index < kClasses; ++index) {
    if (length[index] == 0) {
      continue;
    }
    bits += 16;  // its count
    const double total = string_bits(ones[index], length[index]);
    if (total >= length[index]) {
      one_bits[index] = zero_bits[index] = 1;
    } else if (total > 0) {
      const double q = ones[index] / length[index];
      one_bits[index] = -std::log2(q) * 1.03;
      zero_bits[index] = -std::log2(1 - q) * 1.03;
    }
  }
  for (std::size_t sub = 0; sub < subs; ++sub) {
    const std::size_t index = class_of(maps.significant_count[sub]);
    const double fresh = maps.fresh_count[sub];
    bits += fresh * (one_bits[index] + 1) + (pending[sub] - fresh) * zero_bits[index];
    if (bits > 8.0 * static_cast<double>(room)) {
      return sub;
    }
  }
  return subs;
}

// The current plane's significance, as much as fits; null if that is nothing.
std::uint8_t* Encoder::write_significance(std::uint8_t* out, const std::uint8_t* end) {
  Buffers& b = *buffers_;
  const std::size_t subs = sub_blocks_of(open_.size());
  std::size_t first = 0;  // a cut before the first fresh coefficient says nothing
  while (first < subs && b.maps.fresh_count[first] == 0) {
    ++first;
  }
  const std::size_t least = std::min(first + 1, subs);
  const auto room = static_cast<std::size_t>(end - out);
  std::size_t cut = std::max(least, fitting_cut(room));
  for (int attempt = 0;; ++attempt) {
    std::uint8_t* const stop = bit_writing().significance(b.maps, cut, b.strings, out);
    if (stop <= end) {
      extent_.cut = static_cast<int>(cut);
      return stop;
    }
    if (cut == least) {
      return nullptr;
    }
    // The estimate was low by this ratio, or more; after three corrections halve what is left.
    const auto written = static_cast<std::size_t>(stop - out);
    const std::size_t smaller =
        attempt < 3 ? fitting_cut(room * room / written * 63 / 64) : least + (cut - least) / 2;
    cut = std::clamp(smaller, least, cut - 1);
  }
}

// The current plane's refinement, as much as fits; null if that is nothing.
std::uint8_t* Encoder::write_refinement(std::uint8_t* out, const std::uint8_t* end) {
  const Maps& maps = buffers_->maps;
  const std::size_t subs = sub_blocks_of(open_.size());
  const std::size_t room = static_cast<std::size_t>(end - out) * 8;
  std::size_t bits = 0;
  std::size_t cut = 0;
  while (cut < subs && bits + maps.significant_count[cut] <= room) {
    bits += maps.significant_count[cut++];
  }
  if (bits == 0) {
    return nullptr;
  }
  extent_.cut = static_cast<int>(cut);
  return bit_writing().refinement(maps, cut, out);
}

// All segments that fit before `end`, down to `last_plane`; sets the extent. Null if none fits.
std::uint8_t* Encoder::write_planes(int last_plane, std::uint8_t* end) {
  Buffers& b = *buffers_;
  const std::size_t subs = sub_blocks_of(open_.size());
  const auto all = static_cast<int>(subs);
  std::uint8_t* at = b.code.data() + kHeaderBytes;
  std::uint8_t* done = nullptr;
  complete_ = false;
  b.maps.reset(open_.size());
  extent_.segments = 0;
  int cut = 0;
  for (int plane = extent_.top; plane >= last_plane; --plane) {
    extract(plane);
    at = write_significance(at, end);
    if (at == nullptr) {
      break;
    }
    done = at;
    cut = extent_.cut;
    ++extent_.segments;
    if (cut != all) {
      break;
    }
    if (plane != extent_.top) {
      at = write_refinement(at, end);
      if (at == nullptr) {
        break;
      }
      done = at;
      cut = extent_.cut;
      ++extent_.segments;
      if (cut != all) {
        break;
      }
    }
    b.maps.settle(subs);
    complete_ = plane == last_plane;
  }
  extent_.cut = cut;
  return done;
}

// Fills `removed` with what the code's extent stands for.
Remainder Encoder::remove(std::span<std::int64_t> removed) const {
  const Buffers& b = *buffers_;
  const Rules rules = rules_of(extent_);
  Remainder total;
  for (std::size_t sub = 0; sub * kSubBlock < open_.size(); ++sub) {
    const Rule& rule = sub < static_cast<std::size_t>(extent_.cut) ? rules.before : rules.after;
    const std::size_t first = sub * kSubBlock;
    const std::size_t count = std::min(kSubBlock, open_.size() - first);
    Remainder part{b.summaries.max[sub], b.summaries.energy[sub]};
    if (part.max >> static_cast<unsigned>(extent_.step.shift + rule.low_plane) == 0) {
      std::fill_n(removed.begin() + static_cast<std::ptrdiff_t>(first), count, 0);
    } else {
      part = reconstruct_and_subtract(&b.magnitudes[first],
                                      &b.maps.signs[sub * kSubWords],
                                      count,
                                      rule,
                                      open_.data() + first,
                                      removed.data() + first);
    }
    total.max = std::max(total.max, part.max);
    total.energy += part.energy;
  }
  return total;
}

Encoded Encoder::encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) {
  GODWIT_ASSERT(removed.size() == open_.size());
  Buffers& b = *buffers_;
  const std::size_t room = std::min({budget.bytes, out.size(), coded_bytes_max(open_.size())});
  std::uint8_t* stop = nullptr;
  complete_ = max_abs_ <= budget.floor;
  if (!complete_ && room > kHeaderBytes) {
    // Planes whose unit is at most floor + 1 quanta leave nothing above the floor.
    const std::uint64_t unit = std::min<std::uint64_t>(budget.floor, kValueLimit) + 1;
    set_step(fitting_step(room, unit));
    const std::uint64_t step = step_.quanta();
    extent_ = {.step = step_, .top = static_cast<int>(floor_log2(max_abs_ / step))};
    const int last_plane = unit < step ? 0 : static_cast<int>(floor_log2(unit / step));
    stop = write_planes(last_plane, b.code.data() + room);
  }
  if (stop == nullptr) {
    std::fill(removed.begin(), removed.end(), 0);
    return {Id::kBpc, 0, max_abs_, energy_, energy_};
  }
  const std::uint32_t header = pack(extent_);
  std::memcpy(b.code.data(), &header, kHeaderBytes);
  const auto bytes = static_cast<std::size_t>(stop - b.code.data());
  std::memcpy(out.data(), b.code.data(), bytes);
  const Remainder remainder = remove(removed);
  return {Id::kBpc, bytes, remainder.max, energy_, remainder.energy};
}

std::span<const std::uint64_t> Encoder::sub_block_max() const {
  return std::span(buffers_->summaries.max).first(sub_blocks_of(open_.size()));
}

std::span<const Segment> Encoder::segments() const {
  if (segment_count_ == 0 && max_abs_ != 0) {
    estimate();
  }
  return std::span(buffers_->segments).first(segment_count_);
}

// Sizes from the number of magnitudes per plane in each block of 4,096: within a block the
// entropy of independent bits, which contexts can only lower.
void Encoder::estimate() const {
  Buffers& b = *buffers_;
  constexpr std::size_t kGroup = 16;  // sub-blocks
  set_step(loaded_);
  const int top = static_cast<int>(floor_log2(max_abs_)) - loaded_.shift;
  const std::size_t subs = sub_blocks_of(open_.size());
  std::array<double, kPlanes> bits{};
  std::array<double, kPlanes> fresh{};
  std::array<double, kPlanes> known{};
  for (std::size_t first = 0; first < subs; first += kGroup) {
    std::array<std::uint32_t, kPlanes> at_least{};
    for (std::size_t sub = first; sub < std::min(first + kGroup, subs); ++sub) {
      if (b.summaries.max[sub] >> static_cast<unsigned>(loaded_.shift) != 0) {
        const std::size_t word = sub * kSubWords;
        const std::size_t words = std::min(kSubWords, words_of(open_.size()) - word);
        count_planes(&b.magnitudes[word * kWordBits], words, at_least);
      }
    }
    const std::size_t begin = first * kSubBlock;
    const auto count = static_cast<double>(std::min(kGroup * kSubBlock, open_.size() - begin));
    double above = 0;
    for (int plane = top; plane >= 0; --plane) {
      const auto p = static_cast<std::size_t>(plane);
      const double here = at_least[p];
      bits[p] += string_bits(here - above, count - above);
      fresh[p] += here - above;
      known[p] += above;
      above = here;
    }
  }
  segment_count_ = 0;
  for (int plane = top; plane >= 0; --plane) {
    const auto p = static_cast<std::size_t>(plane);
    const double unit = std::ldexp(1.0, plane + loaded_.shift);
    // A coefficient between T and 2 T gains 2.1 T^2 when it becomes significant, one that is
    // refined from 2 T to T a quarter of T^2 (uniform within the interval: 2^2 / 12 - 1 / 12).
    const auto add = [&](double bytes, double gain) {
      b.segments[segment_count_++] = {static_cast<std::uint32_t>(std::ceil(bytes)),
                                      static_cast<float>(gain * unit * unit / bytes)};
    };
    add(2 + (bits[p] + fresh[p]) / 8, 2.1 * fresh[p]);
    if (plane != top) {
      add(std::max(1.0, known[p] / 8), 0.25 * known[p]);
    }
  }
}

}  // namespace godwit::codec::bpc
