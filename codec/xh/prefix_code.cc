#include "codec/xh/prefix_code.h"

#include <algorithm>
#include <numeric>

#include "dataplane/base/assert.h"

namespace godwit::codec::xh {
namespace {

constexpr std::size_t kSizeBytes = 3;  // of a stream's size
constexpr std::size_t kEntries = std::size_t{1} << kLengthMax;

// The code's bits with the first one lowest, as they are sent.
std::uint32_t reversed(std::uint32_t code, unsigned length) {
  std::uint32_t result = 0;
  for (unsigned bit = 0; bit < length; ++bit) {
    result |= (code >> bit & 1U) << (length - 1 - bit);
  }
  return result;
}

// Calls visit(symbol, reversed code, length) for each symbol of a canonical code: shorter ones
// first, within a length in the order of symbols.
template <class Visit>
void for_each_code(const Lengths& lengths, Visit&& visit) {
  std::uint32_t code = 0;
  for (unsigned length = 1; length <= kLengthMax; ++length, code <<= 1U) {
    for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
      if (lengths[symbol] == length) {
        visit(symbol, reversed(code++, length), length);
      }
    }
  }
}

// Below, counting all of them costs little.
constexpr std::size_t kSampledBytesMin = 65'536;
constexpr std::size_t kLines = 8;  // of which one is counted
constexpr std::size_t kLineBytes = 64;

class Tally {
 public:
  void add(std::span<const std::uint8_t> bytes) {
    std::size_t i = 0;
    for (; i + parts_.size() <= bytes.size(); i += parts_.size()) {
      const std::uint64_t word = load_word(bytes.data() + i);
      for (unsigned at = 0; at < parts_.size(); ++at) {
        ++parts_[at][word >> (8 * at) & 0xffU];
      }
    }
    for (; i < bytes.size(); ++i) {
      ++parts_[0][bytes[i]];
    }
  }

  Counts counts() const {
    Counts sum = parts_[0];
    for (std::size_t part = 1; part < parts_.size(); ++part) {
      for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
        sum[symbol] += parts_[part][symbol];
      }
    }
    return sum;
  }

 private:
  // Eight tables: equal bytes in a row would wait for their own counter.
  std::array<Counts, 8> parts_{};
};

}  // namespace

Counts count_bytes(std::span<const std::uint8_t> bytes) {
  Tally tally;
  tally.add(bytes);
  return tally.counts();
}

Counts estimated_counts(std::span<const std::uint8_t> bytes, ByteRange range) {
  if (bytes.size() < kSampledBytesMin) {
    return count_bytes(bytes);
  }
  Tally tally;
  std::uint32_t turn = 0;
  for (std::size_t at = 0; at + kLines * kLineBytes <= bytes.size(); at += kLines * kLineBytes) {
    // Another one of the eight lines each time, in no order, so that no period goes unseen.
    constexpr std::uint32_t kGolden = 0x9e3779b9;
    const std::size_t line = turn++ * kGolden >> 29U;
    tally.add(bytes.subspan(at + line * kLineBytes, kLineBytes));
  }
  Counts counts = tally.counts();
  for (std::size_t symbol = range.least; symbol <= range.greatest; ++symbol) {
    counts[symbol] = std::max(counts[symbol], 1U);
  }
  return counts;
}

Lengths best_lengths(const Counts& counts) {
  std::array<std::uint8_t, kSymbols> leaves{};  // symbols that occur, the rarest first
  std::size_t leaf_count = 0;
  for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
    if (counts[symbol] != 0) {
      leaves[leaf_count++] = static_cast<std::uint8_t>(symbol);
    }
  }
  GODWIT_ASSERT(leaf_count >= 2);
  std::stable_sort(leaves.begin(), leaves.begin() + leaf_count, [&](auto a, auto b) {
    return counts[a] < counts[b];
  });
  // Level by level, the longest codes first: the leaves, and packages of two of the level before.
  struct Item {
    std::uint64_t weight;
    bool is_leaf;
  };
  using Level = std::array<Item, 2 * kSymbols>;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the loops write all that is read.
  std::array<Level, kLengthMax> levels;
  std::size_t before = 0;  // items of the level before
  for (unsigned at = 0; at < kLengthMax; ++at) {
    Level& level = levels[at];
    std::size_t size = 0;
    std::size_t leaf = 0;
    std::size_t package = 0;
    while (leaf < leaf_count || package + 2 <= before) {
      std::uint64_t packed = UINT64_MAX;
      if (package + 2 <= before) {
        packed = levels[at - 1][package].weight + levels[at - 1][package + 1].weight;
      }
      if (leaf < leaf_count && counts[leaves[leaf]] <= packed) {
        level[size++] = {counts[leaves[leaf++]], true};
      } else {
        level[size++] = {packed, false};
        package += 2;
      }
    }
    before = size;
  }
  // The cheapest 2 n - 2 items of the last level, and whatever their packages hold: a leaf's length
  // is how often it is among them.
  Lengths lengths{};
  std::size_t taken = 2 * leaf_count - 2;
  for (unsigned at = kLengthMax; at-- > 0 && taken > 0;) {
    std::size_t taken_leaves = 0;
    for (std::size_t i = 0; i < taken; ++i) {
      taken_leaves += levels[at][i].is_leaf ? 1U : 0U;
    }
    for (std::size_t i = 0; i < taken_leaves; ++i) {
      ++lengths[leaves[i]];
    }
    taken = 2 * (taken - taken_leaves);
  }
  return lengths;
}

PrefixWriter::PrefixWriter(const Lengths& lengths) {
  for_each_code(lengths, [&](std::size_t symbol, std::uint32_t code, unsigned /*length*/) {
    codes_.low[symbol] = static_cast<std::uint8_t>(code);
    codes_.high[symbol] = static_cast<std::uint8_t>(code >> 8U);
  });
  codes_.length = lengths;
  for (std::size_t row = 0; row < codes_.rows.size(); ++row) {
    const auto first = lengths.begin() + static_cast<std::ptrdiff_t>(16 * row);
    if (std::any_of(first, first + 16, [](auto length) { return length != 0; })) {
      codes_.rows[codes_.row_count++] = static_cast<std::uint8_t>(row);
    }
  }
  while (codes_.length[first_] == 0) {
    ++first_;
  }
  last_ = kSymbols - 1;
  while (codes_.length[last_] == 0) {
    --last_;
  }
}

std::size_t PrefixWriter::description_bytes() const {
  return 2 + (last_ - first_ + 2) / 2;
}

std::uint8_t* PrefixWriter::describe(std::uint8_t* out) const {
  *out++ = static_cast<std::uint8_t>(first_);
  *out++ = static_cast<std::uint8_t>(last_);
  for (std::size_t symbol = first_; symbol <= last_; symbol += 2) {
    const unsigned high = symbol < last_ ? codes_.length[symbol + 1] : 0U;
    *out++ = static_cast<std::uint8_t>(codes_.length[symbol] | high << 4U);
  }
  return out;
}

std::uint8_t* PrefixWriter::write(std::span<const std::uint8_t> bytes,
                                  std::uint8_t* out,
                                  const std::uint8_t* limit) const {
  if (limit - out < static_cast<std::ptrdiff_t>(kStreams * kSizeBytes)) {
    return nullptr;
  }
  std::uint8_t* const sizes = out;
  out += kStreams * kSizeBytes;
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    const std::size_t begin = stream_begin(stream, bytes.size());
    const std::size_t end = stream_begin(stream + 1, bytes.size());
    std::uint8_t* const stop = write_stream(bytes.subspan(begin, end - begin), out, limit);
    if (stop == nullptr) {
      return nullptr;
    }
    const auto size = static_cast<std::uint32_t>(stop - out);
    std::memcpy(sizes + stream * kSizeBytes, &size, kSizeBytes);
    out = stop;
  }
  return out;
}

std::uint8_t* PrefixWriter::write_stream(std::span<const std::uint8_t> bytes,
                                         std::uint8_t* out,
                                         const std::uint8_t* limit) const {
  constexpr std::ptrdiff_t kWord = sizeof(std::uint64_t);  // the writer writes whole ones
  constexpr std::ptrdiff_t kJoinedMax = kJoinedBytes * kLengthMax / 8 + 2 * kWord;
  WordWriter writer(out);
  std::size_t i = 0;
  for (; i + kJoinedBytes <= bytes.size(); i += kJoinedBytes) {
    if (limit - writer.at() < kJoinedMax) {
      return nullptr;
    }
    // NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): join_codes writes all of them.
    std::array<std::uint64_t, kJoinedStrings> strings;
    std::array<std::uint32_t, kJoinedStrings> lengths;
    // NOLINTEND(cppcoreguidelines-pro-type-member-init)
    join_codes(codes_, bytes.data() + i, strings.data(), lengths.data());
    for (std::size_t at = 0; at < kJoinedStrings; at += 2) {
      const unsigned length = lengths[at] + lengths[at + 1];
      if (length < 64) {  // eight codes: nearly always
        writer.put(strings[at] | strings[at + 1] << lengths[at], length);
      } else {
        writer.put(strings[at], lengths[at]);
        writer.put(strings[at + 1], lengths[at + 1]);
      }
    }
  }
  for (; i < bytes.size() && limit - writer.at() >= 2 * kWord; ++i) {
    const std::uint8_t byte = bytes[i];
    writer.put(codes_.code_of(byte), codes_.length[byte]);
  }
  return i < bytes.size() || limit - writer.at() < kWord ? nullptr : writer.finish();
}

Result<std::size_t> PrefixReader::learn(std::span<const std::uint8_t> description) {
  if (description.size() < 2 || description[0] >= description[1]) {
    return fail(Code::kCorrupt, "a code's first symbol is not below its last");
  }
  const std::size_t first = description[0];
  const std::size_t last = description[1];
  const std::size_t size = 2 + (last - first + 2) / 2;
  if (description.size() < size) {
    return fail(Code::kCorrupt, "a code's description is cut");
  }
  lengths_.fill(0);
  std::size_t weight = 0;  // of the code, in entries of the table
  for (std::size_t nibble = 0; nibble < 2 * (size - 2); ++nibble) {
    const unsigned length = unsigned{description[2 + nibble / 2]} >> 4 * (nibble % 2) & 0xfU;
    const std::size_t symbol = first + nibble;
    const bool is_end = symbol == first || symbol == last;
    if (length > kLengthMax || (symbol > last && length != 0) || (is_end && length == 0)) {
      return fail(Code::kCorrupt, "symbol {} has a code of {} bits", symbol, length);
    }
    if (length != 0) {
      lengths_[symbol] = static_cast<std::uint8_t>(length);
      weight += kEntries >> length;
    }
  }
  if (weight != kEntries) {
    return fail(Code::kCorrupt, "a code's lengths do not fill it: {} of {}", weight, kEntries);
  }
  for_each_code(lengths_, [&](std::size_t symbol, std::uint32_t code, unsigned length) {
    for (std::size_t at = code; at < kEntries; at += std::size_t{1} << length) {
      table_[at] = {static_cast<std::uint8_t>(symbol), 0, static_cast<std::uint8_t>(length), 1};
    }
  });
  // From the top: the entry of what follows has fewer bits set above, and is still single.
  for (std::size_t at = kEntries; at-- > 0;) {
    Entry& entry = table_[at];
    const unsigned length = lengths_[entry.first];
    const std::uint8_t next = table_[at >> length].first;
    if (length + lengths_[next] <= kLengthMax) {
      entry = {entry.first, next, static_cast<std::uint8_t>(length + lengths_[next]), 2};
    }
  }
  return size;
}

// Five look-ups: at most ten symbols and 55 bits.
inline void PrefixReader::decode_some(Stream& stream) const {
  std::uint64_t word = stream.cursor.peek();
  unsigned used = 0;
  for (int look = 0; look < 5; ++look) {
    const Entry entry = table_[word % kEntries];
    stream.out[0] = entry.first;
    stream.out[1] = entry.second;
    stream.out += entry.count;
    word >>= entry.bits;
    used += entry.bits;
  }
  stream.cursor.skip(used);
}

// One symbol at a time, and whether the stream ends where it should.
bool PrefixReader::finish(Stream& stream) const {
  while (stream.out < stream.out_end) {
    if (stream.cursor.position() > stream.end) {
      return false;
    }
    const Entry entry = table_[stream.cursor.peek() % kEntries];
    *stream.out++ = entry.first;
    stream.cursor.skip(lengths_[entry.first]);
  }
  const std::size_t left = stream.end - stream.cursor.position();
  return stream.cursor.position() <= stream.end && left < 8 &&
         (stream.cursor.peek() & ((std::uint64_t{1} << left) - 1)) == 0;
}

Result<std::size_t> PrefixReader::read(std::span<const std::uint8_t> coded,
                                       std::span<std::uint8_t> out) const {
  if (coded.size() < kStreams * kSizeBytes) {
    return fail(Code::kCorrupt, "the sizes of the streams are cut");
  }
  std::array<Stream, kStreams> streams{{{BitCursor(nullptr), 0, nullptr, nullptr},
                                        {BitCursor(nullptr), 0, nullptr, nullptr},
                                        {BitCursor(nullptr), 0, nullptr, nullptr},
                                        {BitCursor(nullptr), 0, nullptr, nullptr}}};
  std::size_t at = kStreams * kSizeBytes;
  for (std::size_t i = 0; i < kStreams; ++i) {
    std::uint32_t size = 0;
    std::memcpy(&size, coded.data() + i * kSizeBytes, kSizeBytes);
    if (size > coded.size() - at) {
      return fail(
          Code::kCorrupt, "a stream of {} bytes where {} are left", size, coded.size() - at);
    }
    streams[i] = {BitCursor(coded.data(), at * 8),
                  (at + size) * 8,
                  out.data() + stream_begin(i, out.size()),
                  out.data() + stream_begin(i + 1, out.size())};
    at += size;
  }
  // Together, so that the processor has four chains to follow, for as long as each has room for
  // what five look-ups may write and has not left its bytes.
  constexpr std::ptrdiff_t kAhead = 10;
  const auto more = [](const Stream& s) {
    return s.out_end - s.out >= kAhead && s.cursor.position() <= s.end;
  };
  while (std::all_of(streams.begin(), streams.end(), more)) {
    for (Stream& stream : streams) {
      decode_some(stream);
    }
  }
  for (Stream& stream : streams) {
    if (!finish(stream)) {
      return fail(Code::kCorrupt, "a stream does not end with its last code");
    }
  }
  return at;
}

}  // namespace godwit::codec::xh
