#include "dataplane/ledger/redo.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"

namespace godwit::ledger {

namespace {

// Copies in pieces with a crash point between them, so that the simulator sees torn blocks.
constexpr std::uint64_t kCopyPiece = 16384;

constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + 7) & ~std::uint64_t{7};
}

// Bytes of memory in which it may change something.
std::uint64_t reach_of(const RedoRange& range) {
  return range.is_lines != 0 ? kBlockBytes : range.bytes;
}

// A block's lines in the slot, as image_lines left them.
struct StoredLines {
  explicit StoredLines(std::span<const std::byte> stored)
      : lines(stored.subspan(sizeof(LineBits))) {
    std::memcpy(bits.data(), stored.data(), sizeof(LineBits));
  }

  LineBits bits{};
  std::span<const std::byte> lines;
};

constexpr std::uint64_t kLineBytes = kLineElements * sizeof(std::int64_t);

void copy_lines(const StoredLines& from, std::byte* block) {
  const std::byte* line = from.lines.data();
  for (std::uint64_t word : from.bits) {
    for (; word != 0; word &= word - 1) {
      std::memcpy(block + (static_cast<std::uint64_t>(std::countr_zero(word)) * kLineBytes),
                  line,
                  kLineBytes);
      line += kLineBytes;
    }
    block += 64 * kLineBytes;
    GODWIT_CRASH_POINT();
  }
}

void store_commit(std::uint64_t& commit, std::uint64_t value) {
  // What a killed process leaves in shared memory is a prefix of its stores in program order, on
  // any processor (exceptions are precise); so only the compiler must be kept from moving stores
  // across.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::atomic_ref<std::uint64_t>(commit).store(value, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace

// FNV-1a by words, with its constants.
std::uint64_t seal_of(const RedoRecord& record) {
  std::uint64_t seal = 0xcbf29ce484222325U;
  const auto add = [&seal](std::uint64_t word) { seal = (seal ^ word) * 0x100000001b3U; };
  add(record.range_count);
  add(record.word_count);
  for (std::uint64_t i = 0; i < record.range_count; ++i) {
    add(record.ranges[i].offset);
    add(record.ranges[i].bytes);
    add(record.ranges[i].is_lines);
  }
  for (std::uint64_t i = 0; i < record.word_count; ++i) {
    add(record.words[i].offset);
    add(record.words[i].value);
  }
  return seal | 1U;
}

Redo::Redo(memory::Mapping& mapping, const Layout& layout)
    : memory_(mapping.bytes()),
      record_(reinterpret_cast<RedoRecord*>(memory_.data() + layout.redo)),
      data_(mapping.part(layout.redo_data, kRedoDataBytes)),
      slot_(layout.redo),
      slot_end_(layout.redo_data + kRedoDataBytes) {}

bool Redo::may_change(std::uint64_t offset, std::uint64_t bytes) const {
  const auto within = [&](std::uint64_t begin, std::uint64_t end) {
    return offset >= begin && offset <= end && bytes <= end - offset;
  };
  return within(kIdentityBytes, slot_) || within(slot_end_, memory_.size());
}

void Redo::copy_home() {
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < record_->range_count; ++i) {
    const RedoRange range = record_->ranges[i];
    std::byte* const home = memory_.data() + range.offset;
    const auto stored = data_.subspan(at, range.bytes);
    if (range.is_lines != 0) {
      copy_lines(StoredLines(stored), home);
    } else {
      for (std::uint64_t done = 0; done < range.bytes; done += kCopyPiece) {
        const std::uint64_t piece = std::min(kCopyPiece, range.bytes - done);
        std::memcpy(home + done, stored.data() + done, piece);
        GODWIT_CRASH_POINT();
      }
    }
    at += padded(range.bytes);
  }
  for (std::uint64_t i = 0; i < record_->word_count; ++i) {
    const RedoWord word = record_->words[i];
    std::memcpy(memory_.data() + word.offset, &word.value, sizeof(word.value));
    GODWIT_CRASH_POINT();
  }
}

Result<bool> Redo::recover() {
  if (record_->commit == 0) {
    return false;
  }
  bool sound = record_->range_count <= kRedoRangesMax && record_->word_count <= kRedoWordsMax &&
               record_->commit == seal_of(*record_);
  std::uint64_t data = 0;
  for (std::uint64_t i = 0; sound && i < record_->range_count; ++i) {
    const RedoRange range = record_->ranges[i];
    sound = range.bytes <= kRedoDataBytes && data + padded(range.bytes) <= kRedoDataBytes;
    if (sound && range.is_lines != 0) {
      sound = range.bytes >= sizeof(LineBits) &&
              range.bytes - sizeof(LineBits) ==
                  lines_in(StoredLines(data_.subspan(data, range.bytes)).bits) * kLineBytes;
    }
    sound = sound && may_change(range.offset, reach_of(range));
    data += padded(range.bytes);
  }
  for (std::uint64_t i = 0; sound && i < record_->word_count; ++i) {
    sound = may_change(record_->words[i].offset, 8) && record_->words[i].offset % 8 == 0;
  }
  if (!sound) {
    return fail(Code::kCorrupt,
                "ledger: the redo slot holds what no step writes; restore the state, or remove it "
                "as an operator's act");
  }
  copy_home();
  store_commit(record_->commit, 0);
  return true;
}

RedoStep::RedoStep(Redo& redo) : redo_(redo) {
  GODWIT_ASSERT(redo.record_->commit == 0, "one step at a time");
}

std::span<std::byte> RedoStep::add_range(const RedoRange& range) {
  GODWIT_ASSERT(range_count_ < kRedoRangesMax, "a step has few ranges");
  GODWIT_ASSERT(data_used_ + padded(range.bytes) <= kRedoDataBytes, "a step fits the slot");
  GODWIT_ASSERT(redo_.may_change(range.offset, reach_of(range)));
  redo_.record_->ranges[range_count_++] = range;
  const auto room = redo_.data_.subspan(data_used_, range.bytes);
  data_used_ += padded(range.bytes);
  return room;
}

std::span<std::byte> RedoStep::image(std::uint64_t offset, std::uint64_t bytes) {
  GODWIT_ASSERT(bytes % 8 == 0 && offset % 8 == 0);
  return add_range({.offset = offset, .bytes = bytes, .is_lines = 0});
}

std::span<std::int64_t> RedoStep::image_integers(std::uint64_t offset, std::uint64_t count) {
  const auto room = image(offset, count * 8);
  return {reinterpret_cast<std::int64_t*>(room.data()), count};
}

std::span<std::int64_t> RedoStep::image_lines(std::uint64_t offset, const LineBits& lines) {
  const std::uint64_t count = lines_in(lines) * kLineElements;
  const auto room = add_range(
      {.offset = offset, .bytes = sizeof(LineBits) + count * sizeof(std::int64_t), .is_lines = 1});
  std::memcpy(room.data(), lines.data(), sizeof(LineBits));
  return {reinterpret_cast<std::int64_t*>(room.data() + sizeof(LineBits)), count};
}

void RedoStep::put(std::uint64_t offset, std::span<const std::byte> bytes) {
  const auto room = add_range({.offset = offset, .bytes = bytes.size(), .is_lines = 0});
  std::memcpy(room.data(), bytes.data(), bytes.size());
}

void RedoStep::put_word(std::uint64_t& home, std::uint64_t value) {
  GODWIT_ASSERT(word_count_ < kRedoWordsMax, "a step has few words");
  const auto offset =
      static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(&home) - redo_.memory_.data());
  GODWIT_ASSERT(redo_.may_change(offset, 8), "the word lies where a step writes");
  redo_.record_->words[word_count_++] = {.offset = offset, .value = value};
}

void RedoStep::run() {
  RedoRecord& record = *redo_.record_;
  record.range_count = range_count_;
  record.word_count = word_count_;
  GODWIT_CRASH_POINT();
  if (!GODWIT_MUTANT(kRedoSkipped)) {
    store_commit(record.commit, seal_of(record));
  }
  GODWIT_CRASH_POINT();
  redo_.copy_home();
  store_commit(record.commit, 0);
  GODWIT_CRASH_POINT();
  range_count_ = 0;
  word_count_ = 0;
  data_used_ = 0;
}

}  // namespace godwit::ledger
