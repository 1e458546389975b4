// One atomic step: after-images in the redo slot, commit = its seal, copy home, commit = 0.
//
// ```
//   RedoStep step(redo);
//   auto block = step.image(offset, bytes);   // compute the new content right there
//   step.put_word(record.frontier, k);        // and the words that change with it
//   step.run();                               // all of it, or after a crash none
// ```
// A process killed before the commit has changed nothing; one killed later has the step repeated
// by `recover` when it attaches. What a step reads from home stays old until run() returns.
//
// Thread: one worker per slot, one step at a time. Memory: the slot holds kRedoDataBytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/result.h"
#include "dataplane/ledger/block_change.h"
#include "dataplane/ledger/layout.h"
#include "dataplane/memory/mapping.h"

namespace godwit::ledger {

// What `commit` of a slot holds while its step counts: it tells what a step wrote from a slot in
// which a word was damaged. The counts must be within their bounds. Never 0. The after-images
// themselves are proven by the ledger's checksums.
std::uint64_t seal_of(const RedoRecord& record);

class Redo {
 public:
  Redo(memory::Mapping& mapping, const Layout& layout);

  // Repeats a committed step; returns whether there was one. kCorrupt when the slot's content
  // cannot have been written by a step.
  Result<bool> recover();

 private:
  friend class RedoStep;
  // A step writes neither what says which ledger it is nor the slot itself.
  bool may_change(std::uint64_t offset, std::uint64_t bytes) const;
  void copy_home();

  std::span<std::byte> memory_;
  RedoRecord* record_;
  std::span<std::byte> data_;
  std::uint64_t slot_;  // offsets of the record, and of what lies behind the data
  std::uint64_t slot_end_;
};

class RedoStep {
 public:
  explicit RedoStep(Redo& redo);

  // Uninitialised room for the after-image of [offset, offset + bytes); bytes is a multiple of 8.
  std::span<std::byte> image(std::uint64_t offset, std::uint64_t bytes);
  std::span<std::int64_t> image_integers(std::uint64_t offset, std::uint64_t count);
  // The same for those lines of the block at `offset`, side by side; the others stay.
  std::span<std::int64_t> image_lines(std::uint64_t offset, const LineBits& lines);
  // Copies `bytes` (any size) as the after-image at `offset`.
  void put(std::uint64_t offset, std::span<const std::byte> bytes);
  // `home` is a word in the mapping.
  void put_word(std::uint64_t& home, std::uint64_t value);

  // Makes it so, and leaves the step empty.
  void run();

 private:
  std::span<std::byte> add_range(const RedoRange& range);

  Redo& redo_;
  std::uint64_t range_count_ = 0;
  std::uint64_t word_count_ = 0;
  std::uint64_t data_used_ = 0;
};

}  // namespace godwit::ledger
