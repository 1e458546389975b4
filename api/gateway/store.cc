#include "api/gateway/store.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

namespace godwit::gateway {
namespace {

constexpr std::size_t kDescriptionBytesMax = 64 * 1024;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kIdDigits = 16;
constexpr std::size_t kShardDigits = 2;

std::uint32_t checksum(TopicShard id, std::string_view description) {
  std::array<std::byte, sizeof(std::uint64_t) + sizeof(std::uint16_t)> named{};
  ByteWriter writer(named);
  writer.u64(id.topic.value());
  if (id.shard != 0) {
    writer.u16(id.shard);
  }
  return crc32c(as_bytes(description), crc32c(writer.written()));
}

// What a file's name says in so many digits of a base; nothing when it says none.
std::optional<std::uint64_t> number(std::string_view text, std::size_t digits, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && text.size() == digits ? std::optional(value) : std::nullopt;
}

std::optional<TopicShard> id_of(std::string_view stem) {
  const auto topic = number(stem.substr(0, kIdDigits), kIdDigits, 16);
  if (!topic || stem.size() <= kIdDigits) {
    return topic ? std::optional(TopicShard(TopicId(*topic))) : std::nullopt;
  }
  const auto shard = number(stem.substr(kIdDigits + 1), kShardDigits, 10);
  const bool is_one = shard && *shard > 0 && *shard < kShardsMax && stem[kIdDigits] == '-';
  return is_one ? std::optional(TopicShard(TopicId(*topic), static_cast<std::uint16_t>(*shard)))
                : std::nullopt;
}

// The description in a file's bytes, if they are whole and of the shard.
std::optional<std::string> unsealed(std::string_view bytes, std::optional<TopicShard> id) {
  if (!id || bytes.size() <= kChecksumBytes ||
      bytes.size() > kDescriptionBytesMax + kChecksumBytes) {
    return std::nullopt;
  }
  const std::string_view description = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader stored(as_bytes(bytes.substr(description.size())));
  return stored.u32() == checksum(*id, description) ? std::optional(std::string(description))
                                                    : std::nullopt;
}

}  // namespace

std::string FileStore::path(TopicShard id, std::string_view ending) const {
  const std::string shard = id.shard == 0 ? "" : fmt::format("-{:02}", id.shard);
  return fmt::format("{}/{:016x}{}.{}", directory_, id.topic.value(), shard, ending);
}

Result<memory::Mapping*> FileStore::mapping(TopicShard id, std::uint64_t bytes) {
  // One that is open is what a declaration left that was refused: its lock is ours already.
  auto& held = open_[id];
  if (held != nullptr && held->size() == bytes) {
    return held.get();
  }
  held.reset();
  auto opened = memory::Mapping::open(path(id, "sums"), bytes);
  if (!opened) {
    return Failure(opened.error());
  }
  held = std::make_unique<memory::Mapping>(std::move(*opened));
  return held.get();
}

Result<void> FileStore::describe(TopicShard id, const std::string& description) {
  const std::string whole = path(id, "topic");
  const std::string beside = whole + ".new";
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out.write(description.data(), static_cast<std::streamsize>(description.size()));
    std::array<std::byte, kChecksumBytes> seal{};
    ByteWriter(seal).u32(checksum(id, description));
    out << as_text(seal);
    out.flush();
    if (!out) {
      return fail(Code::kFull, "{}: cannot be written; free space in the state directory", beside);
    }
  }
  std::error_code error;
  std::filesystem::rename(beside, whole, error);
  if (error) {
    return fail(Code::kIo, "{}: cannot be replaced: {}", whole, error.message());
  }
  return {};
}

std::optional<std::uint64_t> FileStore::free_bytes() const {
  std::error_code error;
  const auto space = std::filesystem::space(directory_, error);
  return error ? std::nullopt : std::optional<std::uint64_t>(space.available);
}

Result<std::vector<std::string>> FileStore::descriptions() {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    if (entry.path().extension() != ".topic") {
      continue;
    }
    const auto id = id_of(entry.path().stem().string());
    if (id && id->slot() % workers_ != worker_) {
      continue;  // another worker's, and its to complain of
    }
    std::ifstream in(entry.path(), std::ios::binary);
    std::string text(kDescriptionBytesMax + kChecksumBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    auto description = unsealed(text, id);
    if (in.bad() || !description) {
      return fail(
          Code::kCorrupt,
          "{}: is no description of this topic, or is damaged; restore it or remove it with "
          "its sums",
          entry.path().string());
    }
    found.push_back(std::move(*description));
  }
  if (error) {
    return fail(Code::kIo, "{}: cannot be listed: {}", directory_, error.message());
  }
  return found;
}

}  // namespace godwit::gateway
