// A pcap file that a thread of its own writes: whoever appends packets never waits for a disk.
//
//     append ──▶ chunk ─▶ chunk ─▶ chunk ──▶ thread ──▶ FILE     full: FILE ──▶ FILE.1, a new FILE
//                └──── 16 of 512 KiB ────┘
//
// The format is pcap with nanoseconds (magic 0xa1b23c4d) and link type 101: records begin with an
// IP header. When all chunks wait for the disk, packets are left out and counted.
//
// Thread: one appends. Memory: 8 MiB, allocated when the file is made.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::port {

// Less would be turned over with every chunk.
inline constexpr Bytes kCaptureBytesMin = Bytes::mib(2);

struct CaptureCounters {
  std::uint64_t packets = 0;   // appended
  std::uint64_t left_out = 0;  // all chunks were full, or the file could not be written
};

class CaptureFile {
 public:
  // Replaces `path`; nobody but the owner may read it. Both files together have at most `bytes_max`
  // bytes, at least kCaptureBytesMin. kIo with the system's text; kInvalid: `bytes_max` is too
  // small.
  static Result<std::unique_ptr<CaptureFile>> create(const std::string& path, Bytes bytes_max);
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  // Writes what was appended, which may wait for the disk, and logs the counts.
  ~CaptureFile();

  // One packet, `headers` and `payload` end to end, at most 65,535 bytes. `unix_ns`: nanoseconds
  // since 1970.
  void append(std::int64_t unix_ns,
              std::span<const std::byte> headers,
              std::span<const std::byte> payload);
  // Gives the thread what was appended so far.
  void flush();
  CaptureCounters counters() const { return counters_; }

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{512} << 10;
  static constexpr std::uint32_t kChunks = 16;
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t used = 0;
  };

  CaptureFile(std::string path, Bytes bytes_max);
  // The chunk that is being filled; null while all of them wait for the disk.
  Chunk* filling();
  void hand_over();

  // On the thread.
  void run();
  Result<void> begin_file();
  Result<void> write(std::span<const std::byte> bytes);
  void turn_over();

  std::string path_;
  std::uint64_t file_bytes_max_;
  std::array<Chunk, kChunks> chunks_;
  CaptureCounters counters_;
  std::atomic<std::uint32_t> filled_{0};   // chunks handed over since the start
  std::atomic<std::uint32_t> written_{0};  // of these, how many are free again
  std::atomic<bool> is_broken_{false};     // the file cannot be written any more
  std::atomic<bool> ends_{false};

  int descriptor_ = -1;           // the thread's, once it runs
  std::uint64_t file_bytes_ = 0;  // likewise
  std::thread thread_;            // last: it uses all of the above
};

}  // namespace godwit::port
