// A sparse range of memory that outlives the object that works on it.
//
// File-backed: a file on tmpfs, shared, so that its content survives `kill -9` of the process.
// Anonymous: for tests and the simulator, which keeps the mapping while everything else "dies".
// Pages are reserved before they are touched; a full file system is an answer (Code::kFull) and
// never SIGBUS. Nobody reads or writes a range that was not reserved, in this life or an earlier.
//
// Thread: one owner. Memory: address space for `bytes`, storage for what is reserved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::memory {

// Storage is reserved and released in pieces of this size: one ledger block. 32 KiB keeps the
// bitmap of a 100 GiB mapping at 400 KiB.
inline constexpr std::uint64_t kGranuleBytes = 32768;

class Mapping {
 public:
  // Opens or creates the file `path`, sparse, of exactly `bytes` (a multiple of kGranuleBytes).
  // An existing file of another size is refused. The file is locked against a second opener.
  static Result<Mapping> open(const std::string& path, std::uint64_t bytes);

  // Memory that lives as long as this object. `storage_max` simulates a full file system: reserve()
  // answers kFull beyond it.
  static Result<Mapping> anonymous(
      std::uint64_t bytes, std::uint64_t storage_max = std::numeric_limits<std::uint64_t>::max());

  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  // Makes [offset, offset + bytes) safe to touch, rounded outwards to granules. Idempotent.
  // Newly reserved memory reads as zero. kFull when there is no storage: nothing changed for the
  // granules that did not fit.
  Result<void> reserve(std::uint64_t offset, std::uint64_t bytes);

  // Gives the storage of the granules lying wholly inside back; they read as zero once reserved
  // again.
  void release(std::uint64_t offset, std::uint64_t bytes);

  std::span<std::byte> bytes() const { return {data_, size_}; }
  std::span<std::byte> part(std::uint64_t offset, std::uint64_t count) const;
  std::uint64_t size() const { return size_; }

  // True when the file existed with content; false for fresh and anonymous mappings.
  bool existed() const { return existed_; }

  // Storage in use: the file's blocks, or the reserved granules of an anonymous mapping.
  std::uint64_t storage_bytes() const;

  // Changes the simulated limit of an anonymous mapping.
  void set_storage_max(std::uint64_t bytes) { storage_max_ = bytes; }

 private:
  Mapping() = default;
  void close();
  bool is_reserved(std::uint64_t granule) const;

  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
  int file_ = -1;
  bool existed_ = false;
  std::string path_;
  std::uint64_t storage_max_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t reserved_granules_ = 0;
  std::vector<std::uint64_t> reserved_;  // one bit per granule
};

}  // namespace godwit::memory
