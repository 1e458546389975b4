#include "dataplane/port/with/capture_file.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/log.h"

namespace godwit::port {
namespace {

// draft-ietf-opsawg-pcap, sections 4 and 5.
constexpr std::size_t kFileHeaderBytes = 24;
constexpr std::size_t kRecordHeaderBytes = 16;
constexpr std::uint32_t kMagicNanoseconds = 0xa1b2'3c4d;
constexpr std::uint32_t kLinkTypeRaw = 101;
constexpr std::uint32_t kPacketBytesMax = 65'535;

}  // namespace

CaptureFile::CaptureFile(std::string path, Bytes bytes_max)
    : path_(std::move(path)), file_bytes_max_(bytes_max.count() / 2) {
  for (Chunk& chunk : chunks_) {
    chunk.bytes = std::make_unique<std::byte[]>(kChunkBytes);
  }
}

Result<std::unique_ptr<CaptureFile>> CaptureFile::create(const std::string& path, Bytes bytes_max) {
  if (bytes_max < kCaptureBytesMin) {
    return fail(Code::kInvalid, "a capture needs at least {} bytes", kCaptureBytesMin.count());
  }
  std::unique_ptr<CaptureFile> file(new CaptureFile(path, bytes_max));
  if (auto begun = file->begin_file(); !begun) {
    return Failure(begun.error());
  }
  file->thread_ = std::thread([raw = file.get()] { raw->run(); });
  return file;
}

CaptureFile::~CaptureFile() {
  if (thread_.joinable()) {
    while (filling() == nullptr) {
      written_.wait(filled_.load() - kChunks);
    }
    ends_.store(true);
    hand_over();  // an empty chunk, too: it wakes the thread
    thread_.join();
    log::info("capture {}: {} packets, {} left out", path_, counters_.packets, counters_.left_out);
  }
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

CaptureFile::Chunk* CaptureFile::filling() {
  const std::uint32_t filled = filled_.load(std::memory_order_relaxed);
  const bool is_free = filled - written_.load(std::memory_order_acquire) < kChunks;
  return is_free ? &chunks_[filled % kChunks] : nullptr;
}

void CaptureFile::hand_over() {
  filled_.fetch_add(1, std::memory_order_release);
  filled_.notify_one();
}

void CaptureFile::append(std::int64_t unix_ns,
                         std::span<const std::byte> headers,
                         std::span<const std::byte> payload) {
  const std::size_t bytes = headers.size() + payload.size();
  GODWIT_ASSERT(bytes <= kPacketBytesMax);
  Chunk* chunk = filling();
  if (chunk != nullptr && chunk->used + kRecordHeaderBytes + bytes > kChunkBytes) {
    hand_over();
    chunk = filling();
  }
  if (chunk == nullptr || is_broken_.load(std::memory_order_relaxed)) {
    ++counters_.left_out;
    return;
  }
  constexpr std::int64_t kSecond = 1'000'000'000;
  ByteWriter out(std::span(chunk->bytes.get(), kChunkBytes).subspan(chunk->used));
  out.u32(static_cast<std::uint32_t>(unix_ns / kSecond));
  out.u32(static_cast<std::uint32_t>(unix_ns % kSecond));
  out.u32(static_cast<std::uint32_t>(bytes));  // captured
  out.u32(static_cast<std::uint32_t>(bytes));  // on the wire
  out.bytes(headers);
  out.bytes(payload);
  GODWIT_ASSERT(out.ok(), "the record has room in the chunk");
  chunk->used += out.size();
  ++counters_.packets;
}

void CaptureFile::flush() {
  const Chunk* chunk = filling();
  if (chunk != nullptr && chunk->used > 0) {
    hand_over();
  }
}

void CaptureFile::run() {
  sigset_t pipe;  // a reader that goes away is an error of `write`, too
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (std::uint32_t done = 0;;) {
    filled_.wait(done, std::memory_order_acquire);
    Chunk& chunk = chunks_[done % kChunks];
    if (chunk.used > 0 && !is_broken_.load(std::memory_order_relaxed)) {
      if (file_bytes_ + chunk.used > file_bytes_max_) {
        turn_over();
      }
      if (auto put = write({chunk.bytes.get(), chunk.used}); !put) {
        log::warn("{}; the capture ends here", put.error().message);
        is_broken_.store(true);
      }
    }
    chunk.used = 0;
    written_.store(++done, std::memory_order_release);
    written_.notify_one();
    if (ends_.load() && done == filled_.load(std::memory_order_acquire)) {
      return;
    }
  }
}

Result<void> CaptureFile::begin_file() {
  // A pipe without a reader, or with a slow one, is an error and no reason to wait.
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  descriptor_ = ::open(path_.c_str(), kFlags, S_IRUSR | S_IWUSR);
  if (descriptor_ < 0) {
    return fail(Code::kIo, "cannot write the capture {}: {}", path_, error_text(errno));
  }
  std::array<std::byte, kFileHeaderBytes> header{};
  ByteWriter out(header);
  out.u32(kMagicNanoseconds);
  out.u16(2);  // version 2.4
  out.u16(4);
  out.u64(0);  // reserved: once the time zone and its accuracy
  out.u32(kPacketBytesMax);
  out.u32(kLinkTypeRaw);
  file_bytes_ = 0;
  return write(header);
}

Result<void> CaptureFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return fail(Code::kIo, "cannot write the capture {}: {}", path_, error_text(errno));
    }
    file_bytes_ += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

void CaptureFile::turn_over() {
  ::close(std::exchange(descriptor_, -1));
  const std::string older = path_ + ".1";
  if (::rename(path_.c_str(), older.c_str()) != 0) {
    log::warn("the capture {} cannot be renamed and is begun again: {}", path_, error_text(errno));
  } else {
    log::info("the capture {} is full and is now {}", path_, older);
  }
  if (auto begun = begin_file(); !begun) {
    log::warn("{}", begun.error().message);  // the write that follows ends the capture
  }
}

}  // namespace godwit::port
