#include "codec/sparse_list/sparse_list.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "codec/kernels.h"
#include "codec/rice.h"
#include "codec/simd/bits.h"
#include "codec/sparse_list/format.h"
#include "codec/sparse_list/vector_kernels.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::codec::sparse_list {

// All elements in bins from `lowest` on, and the first `extra` of the bin below.
struct Choice {
  std::size_t lowest = 0;
  std::size_t extra = 0;
  std::size_t count = 0;  // in all
  std::uint64_t least = 0;
  Sizes sizes;
  double gain = 0;  // energy removed, by estimate
};

namespace {

constexpr std::size_t kSampled = 4096;  // elements; chosen: an eighth of a tile
constexpr std::size_t kPad = 16;        // that cursors and writers may touch behind the end

// ---- magnitudes in bins, eight an octave

constexpr std::size_t kBins = 480;

constexpr std::size_t bin_of(std::uint64_t magnitude) {
  if (magnitude < 8) {
    return magnitude;
  }
  const auto octave = static_cast<unsigned>(std::bit_width(magnitude)) - 1;
  return (octave - 2) * std::size_t{8} + (magnitude >> (octave - 3) & 7U);
}
constexpr std::uint64_t first_of(std::size_t bin) {
  return bin < 8 ? bin : (8 + bin % 8) << (bin / 8 - 1);
}
static_assert(bin_of(std::uint64_t{kValueLimit} - 1) == kBins - 1);
static_assert(bin_of(first_of(100)) == 100 && bin_of(first_of(100) - 1) == 99);

std::uint64_t magnitude_of(std::int64_t value) {
  return static_cast<std::uint64_t>(value < 0 ? -value : value);
}

struct Bin {
  std::uint32_t count = 0;
  double sum = 0;  // of magnitudes
};

// The bits that `count` of `elements` take by estimate: a gap's last zeros are half a one's worth.
double bits_of(std::size_t count, std::size_t elements, unsigned level_bits) {
  const unsigned k = rice_bits(count, elements);
  const auto named = static_cast<double>(count);
  const double zeros = static_cast<double>(elements - count) / static_cast<double>(1U << k);
  return named * (1.5 + k + level_bits) + zeros;
}

// The most elements that so many bits could name.
std::size_t most_within(double bits, std::size_t elements) {
  std::size_t low = 0;
  std::size_t high = elements;
  while (low < high) {
    const std::size_t middle = (low + high + 1) / 2;
    if (bits_of(middle, elements, 0) <= bits) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// ---- which elements, and what sizes

using Bins = std::array<Bin, kBins>;

// As many of the largest elements above `floor` as `bits` have room for.
Choice largest_within(
    const Bins& bins, std::size_t elements, std::uint64_t floor, unsigned level_bits, double bits) {
  Choice choice;
  choice.sizes.level_bits = level_bits;
  const std::size_t end =
      std::min(bin_of(floor) + 1, kBins);  // bins below may hold what is allowed
  const auto fits = [&](std::size_t count) {
    return bits_of(std::min(count, elements), elements, level_bits) <= bits;
  };
  std::size_t bin = kBins;
  while (bin > end && (bins[bin - 1].count == 0 || fits(choice.count + bins[bin - 1].count))) {
    choice.count += bins[--bin].count;
  }
  choice.lowest = bin;
  if (bin > end) {
    // The cost of one more element hardly changes within a bin.
    std::size_t low = 0;
    std::size_t high = bins[bin - 1].count;
    while (low < high) {
      const std::size_t middle = (low + high + 1) / 2;
      if (fits(choice.count + middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    choice.extra = low;
    choice.count += low;
  }
  std::size_t least = choice.extra > 0 ? bin - 1 : bin;
  while (least < kBins && bins[least].count == 0) {
    ++least;
  }
  choice.least = first_of(least);
  return choice;
}

// The energy that these sizes remove of the elements in `bins`.
double gain_of(const Sizes& sizes, std::span<const Bin> bins) {
  const auto base = static_cast<double>(sizes.base.quanta());
  const auto step = static_cast<double>(std::max<std::uint64_t>(sizes.step.quanta(), 1));
  const auto top = static_cast<double>(sizes.levels() - 1);
  double gain = 0;
  for (const Bin& bin : bins) {
    if (bin.count != 0) {
      const double level = std::round((bin.sum / bin.count - base) / step);
      const double size = base + step * std::clamp(level, 0.0, top);
      gain += size * (2 * bin.sum - size * bin.count);
    }
  }
  return gain;
}

// The best of a few spacings. The least size is below twice the least element, so that every
// element that is named loses energy.
void choose_sizes(Choice& choice, std::uint64_t largest, Bins bins) {
  const std::size_t first = choice.lowest - (choice.extra > 0 ? 1 : 0);
  if (choice.extra > 0) {
    Bin& partial = bins[first];
    partial.sum *= static_cast<double>(choice.extra) / partial.count;
    partial.count = static_cast<std::uint32_t>(choice.extra);
  }
  const auto chosen = std::span(bins).subspan(first);
  const auto from = static_cast<double>(choice.least);
  const auto consider = [&](double base, double step) {
    Sizes sizes{choice.sizes.level_bits, {}, {}};
    sizes.base = Step::at_most(static_cast<std::uint64_t>(std::clamp(base, 1.0, 2 * from - 1)));
    if (sizes.level_bits > 0) {
      sizes.step = Step::at_most(static_cast<std::uint64_t>(std::max(1.0, step)));
    }
    const double gain = gain_of(sizes, chosen);
    if (sizes.in_range() && gain > choice.gain) {
      choice.sizes = sizes;
      choice.gain = gain;
    }
  };
  if (choice.sizes.level_bits == 0) {
    double sum = 0;
    for (const Bin& bin : chosen) {
      sum += bin.sum;
    }
    consider(sum / static_cast<double>(choice.count), 0);
    return;
  }
  const auto levels = static_cast<double>(choice.sizes.levels());
  const double most = static_cast<double>(largest) + 1;
  double range = 1;  // of the largest size to the least element
  do {
    range *= 1.4;
    const double step = (std::min(from * range, most) - from) / levels;
    consider(from + step / 2, step);
  } while (from * range < most && range < 1000);
}

// Sizes whose gain is worth their bits. Where `room` binds all choices fill it; where the floor
// does, a bit is worth what it gains with one more element, which is just above the floor.
Choice best_choice(const Bins& bins,
                   std::size_t elements,
                   std::uint64_t largest,
                   std::uint64_t floor,
                   std::size_t room) {
  Choice best;
  double best_worth = -std::numeric_limits<double>::infinity();
  double price = 0;  // energy for a bit
  for (unsigned level_bits = 0; level_bits <= kLevelBitsMax; ++level_bits) {
    const std::size_t header = 3 + Step::kBytes * (level_bits > 0 ? 2 : 1);
    if (room <= header) {
      break;
    }
    const auto bits_max = 8.0 * static_cast<double>(room - header);
    Choice choice = largest_within(bins, elements, floor, level_bits, bits_max);
    if (choice.count == 0) {
      break;
    }
    choose_sizes(choice, largest, bins);
    const double bits =
        8.0 * static_cast<double>(header) + bits_of(choice.count, elements, level_bits);
    if (level_bits == 0) {
      price = static_cast<double>(floor) * static_cast<double>(floor) *
              static_cast<double>(choice.count) / bits;
    }
    const double worth = choice.gain - price * bits;
    if (choice.gain > 0 && worth > best_worth) {
      best = choice;
      best_worth = worth;
    }
  }
  return best;
}

// ---- the code of named elements

// Calls visit(position, magnitude) for each chosen element, in order.
template <class Visit>
void for_each_chosen(std::span<const std::int64_t> open,
                     std::span<const std::uint16_t> listed,
                     Choice choice,
                     Visit&& visit) {
  const std::uint64_t surely = first_of(choice.lowest);
  for (const std::size_t i : listed) {
    const std::uint64_t magnitude = magnitude_of(open[i]);
    if (magnitude >= choice.least && (magnitude >= surely || choice.extra > 0)) {
      choice.extra -= magnitude < surely ? 1 : 0;
      visit(i, magnitude);
    }
  }
}

// Everything in front of the elements; returns its size.
std::size_t write_header(const Choice& choice, std::span<std::uint8_t> out) {
  ByteWriter writer(std::as_writable_bytes(out));
  writer.varint(4 * (choice.count - 1) + choice.sizes.level_bits);
  writer.u16(choice.sizes.base.packed());
  if (choice.sizes.level_bits > 0) {
    writer.u16(choice.sizes.step.packed());
  }
  GODWIT_ASSERT(writer.ok());
  return writer.size();
}

std::uint64_t level_of(const Sizes& sizes, std::uint64_t magnitude) {
  const std::uint64_t base = sizes.base.quanta();
  if (sizes.level_bits == 0 || magnitude <= base) {
    return 0;
  }
  const std::uint64_t step = sizes.step.quanta();
  return std::min((magnitude - base + step / 2) / step, sizes.levels() - 1);
}

}  // namespace

struct Encoder::Buffers {
  std::array<std::uint64_t, kSampled> sample{};
  std::array<std::uint16_t, kTileElements> positions{};  // of the largest, rising
  std::size_t count = 0;                                 // of them
  Bins bins{};                                           // of them
  std::array<std::uint8_t, coded_bytes_max(kTileElements) + kPad> code{};

  std::span<const std::uint16_t> listed() const { return std::span(positions).first(count); }
};

Encoder::Encoder() : buffers_(std::make_unique<Buffers>()) {}
Encoder::~Encoder() = default;

void Encoder::load(std::span<const std::int64_t> open) {
  load(open, max_abs(open), energy(open));
}

void Encoder::load(std::span<const std::int64_t> open, std::uint64_t max_abs, double energy) {
  GODWIT_ASSERT(!open.empty() && open.size() <= kTileElements);
  GODWIT_ASSERT(max_abs < std::uint64_t{kValueLimit}, "the door lets nothing larger in");
  open_ = open;
  max_abs_ = max_abs;
  energy_ = energy;
}

// Lists and bins the largest elements above `floor`: `wanted` of them, or all that there are.
void Encoder::list_largest(std::size_t wanted, std::uint64_t floor) {
  Buffers& b = *buffers_;
  const std::size_t stride = (open_.size() + kSampled - 1) / kSampled;
  std::size_t sampled = 0;
  for (std::size_t i = 0; i < open_.size(); i += stride) {
    b.sample[sampled++] = magnitude_of(open_[i]);
  }
  // By the sample twice as many; a small one may miss the largest altogether.
  std::size_t rank = 2 * wanted / stride + 8;
  std::uint64_t least = 0;
  do {
    least = floor + 1;
    if (rank < sampled) {
      const auto at = b.sample.begin() + static_cast<std::ptrdiff_t>(rank);
      std::nth_element(b.sample.begin(),
                       at,
                       b.sample.begin() + static_cast<std::ptrdiff_t>(sampled),
                       std::greater<>());
      least = std::max(least, *at);
    }
    b.count = positions_of(open_, least, b.positions.data());
    rank *= 4;
  } while (b.count < wanted && least > floor + 1);
  b.bins.fill({});
  for (const std::size_t i : b.listed()) {
    const std::uint64_t magnitude = magnitude_of(open_[i]);
    Bin& bin = b.bins[bin_of(magnitude)];
    ++bin.count;
    bin.sum += static_cast<double>(magnitude);
  }
}

Encoded Encoder::encode(Budget budget, std::span<std::byte> out, std::span<std::int64_t> removed) {
  GODWIT_ASSERT(removed.size() == open_.size());
  std::fill(removed.begin(), removed.end(), 0);
  const Encoded nothing{Id::kSparseList, 0, max_abs_, energy_, energy_};
  const std::size_t room = std::min({budget.bytes, out.size(), coded_bytes_max(open_.size())});
  if (max_abs_ <= budget.floor) {
    return nothing;
  }
  list_largest(most_within(8.0 * static_cast<double>(room), open_.size()), budget.floor);
  // What the estimate is wrong by is taken from the room; at the fourth time half of it.
  std::size_t aim = room;
  for (int attempt = 0; aim > 0; ++attempt) {
    const Choice choice = best_choice(buffers_->bins, open_.size(), max_abs_, budget.floor, aim);
    if (choice.count == 0) {
      break;
    }
    const std::size_t bytes = coded_bytes(choice);
    if (bytes <= room) {
      write(choice, removed);
      std::memcpy(out.data(), buffers_->code.data(), bytes);
      const Remainder left = remainder(open_, removed);
      return {Id::kSparseList, bytes, left.max, energy_, left.energy};
    }
    aim = attempt < 3 ? aim * room / bytes - 1 : aim / 2;
  }
  return nothing;
}

// The length of the code, exactly.
std::size_t Encoder::coded_bytes(const Choice& choice) const {
  const unsigned k = rice_bits(choice.count, open_.size());
  std::size_t bits = choice.count * (2 + k + choice.sizes.level_bits);
  std::size_t next = 0;
  for_each_chosen(
      open_, buffers_->listed(), choice, [&](std::size_t i, std::uint64_t /*magnitude*/) {
        bits += (i - next) >> k;
        next = i + 1;
      });
  return write_header(choice, buffers_->code) + (bits + 7) / 8;
}

// The code of a choice whose length is known to fit, and what it removes.
void Encoder::write(const Choice& choice, std::span<std::int64_t> removed) {
  std::uint8_t* const code = buffers_->code.data();
  const unsigned k = rice_bits(choice.count, open_.size());
  WordWriter writer(code + write_header(choice, buffers_->code));
  std::size_t next = 0;
  for_each_chosen(open_, buffers_->listed(), choice, [&](std::size_t i, std::uint64_t magnitude) {
    put_gap(writer, i - next, k);
    next = i + 1;
    const bool negative = open_[i] < 0;
    const std::uint64_t level = level_of(choice.sizes, magnitude);
    writer.put(level << 1U | (negative ? 1U : 0U), 1 + choice.sizes.level_bits);
    const auto size = static_cast<std::int64_t>(choice.sizes.of(level));
    removed[i] = negative ? -size : size;
  });
  writer.finish();
}

Decoder::Decoder() : code_(coded_bytes_max(kTileElements) + kPad) {}

Result<void> Decoder::decode(std::span<const std::byte> coded, std::span<std::int64_t> out) {
  ByteReader reader(coded);
  const std::uint64_t first = reader.varint();
  const std::size_t count = first / 4 + 1;
  Sizes sizes{static_cast<unsigned>(first % 4), {}, {}};
  const std::size_t first_bytes = reader.position();
  sizes.base = Step::unpack(reader.u16());
  if (sizes.level_bits > 0) {
    sizes.step = Step::unpack(reader.u16());
  }
  if (!reader.ok() || coded.size() > coded_bytes_max(out.size())) {
    return fail(Code::kCorrupt, "sl: {} bytes for {} elements", coded.size(), out.size());
  }
  const bool shortest = first_bytes == 1 || coded[first_bytes - 1] != std::byte{0};
  if (count > out.size() || !shortest) {
    return fail(Code::kCorrupt, "sl: {} of {} elements are named", count, out.size());
  }
  const auto is_size = [](Step step) {
    return step.mantissa > 0 && step.exponent <= Step::kExponentMax;
  };
  if (!is_size(sizes.base) || (sizes.level_bits > 0 && !is_size(sizes.step)) || !sizes.in_range()) {
    return fail(Code::kCorrupt, "sl: a size is out of range");
  }
  return read_elements(coded.subspan(reader.position()), count, sizes, out);
}

Result<void> Decoder::read_elements(std::span<const std::byte> coded,
                                    std::size_t count,
                                    const Sizes& sizes,
                                    std::span<std::int64_t> out) {
  // Cursors look behind the end.
  std::memcpy(code_.data(), coded.data(), coded.size());
  std::memset(code_.data() + coded.size(), 0, kPad);
  std::fill(out.begin(), out.end(), 0);
  const std::size_t end = coded.size() * 8;
  const unsigned k = rice_bits(count, out.size());
  BitCursor cursor(code_.data());
  std::size_t next = 0;
  for (std::size_t named = 0; named < count; ++named) {
    const auto gap = take_gap(cursor, end, k);
    if (!gap) {
      return fail(Code::kCorrupt, "sl: the list ends after {} of {} elements", named, count);
    }
    next += *gap;
    if (next >= out.size()) {
      return fail(Code::kCorrupt, "sl: element {} is behind the last of {}", next, out.size());
    }
    const std::uint64_t word = cursor.peek();
    const std::uint64_t level = word >> 1U & (sizes.levels() - 1);
    const auto size = static_cast<std::int64_t>(sizes.of(level));
    out[next++] = (word & 1U) != 0 ? -size : size;
    cursor.skip(1 + sizes.level_bits);
  }
  const std::size_t left = end - cursor.position();
  if (cursor.position() > end || left >= 8 ||
      (cursor.peek() & ((std::uint64_t{1} << left) - 1)) != 0) {
    return fail(Code::kCorrupt, "sl: the list does not end with its last element");
  }
  return {};
}

}  // namespace godwit::codec::sparse_list
