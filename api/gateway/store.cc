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

std::uint32_t checksum(std::uint64_t topic, std::string_view description) {
  std::array<std::byte, sizeof(topic)> id{};
  ByteWriter(id).u64(topic);
  return crc32c(as_bytes(description), crc32c(id));
}

// The id that a file's name says; nothing when it says none.
std::optional<std::uint64_t> id_of(const std::string& stem) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), id, 16);
  const bool is_whole = error == std::errc() && end == stem.data() + stem.size();
  return is_whole && stem.size() == kIdDigits ? std::optional(id) : std::nullopt;
}

// The description in a file's bytes, if they are whole and of the topic.
std::optional<std::string> unsealed(std::string_view bytes, std::optional<std::uint64_t> topic) {
  if (!topic || bytes.size() <= kChecksumBytes ||
      bytes.size() > kDescriptionBytesMax + kChecksumBytes) {
    return std::nullopt;
  }
  const std::string_view description = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader stored(as_bytes(bytes.substr(description.size())));
  return stored.u32() == checksum(*topic, description) ? std::optional(std::string(description))
                                                       : std::nullopt;
}

}  // namespace

std::string FileStore::path(TopicId topic, std::string_view ending) const {
  return fmt::format("{}/{:016x}.{}", directory_, topic.value(), ending);
}

Result<memory::Mapping*> FileStore::mapping(TopicId topic, std::uint64_t bytes) {
  // One that is open is what a declaration left that was refused: its lock is ours already.
  auto& held = open_[topic];
  if (held != nullptr && held->size() == bytes) {
    return held.get();
  }
  held.reset();
  auto opened = memory::Mapping::open(path(topic, "sums"), bytes);
  if (!opened) {
    return Failure(opened.error());
  }
  held = std::make_unique<memory::Mapping>(std::move(*opened));
  return held.get();
}

Result<void> FileStore::describe(TopicId topic, const std::string& description) {
  const std::string whole = path(topic, "topic");
  const std::string beside = whole + ".new";
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out.write(description.data(), static_cast<std::streamsize>(description.size()));
    std::array<std::byte, kChecksumBytes> seal{};
    ByteWriter(seal).u32(checksum(topic.value(), description));
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

Result<std::vector<std::string>> FileStore::descriptions() {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    if (entry.path().extension() != ".topic") {
      continue;
    }
    std::ifstream in(entry.path(), std::ios::binary);
    std::string text(kDescriptionBytesMax + kChecksumBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    auto description = unsealed(text, id_of(entry.path().stem().string()));
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
