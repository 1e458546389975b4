#include "api/gateway/store.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

namespace godwit::gateway {
namespace {

constexpr std::size_t kDescriptionBytesMax = 64 * 1024;

}  // namespace

std::string FileStore::path(TopicId topic, std::string_view ending) const {
  return fmt::format("{}/{:016x}.{}", directory_, topic.value(), ending);
}

Result<memory::Mapping*> FileStore::mapping(TopicId topic, std::uint64_t bytes) {
  auto opened = memory::Mapping::open(path(topic, "sums"), bytes);
  if (!opened) {
    return Failure(opened.error());
  }
  open_.push_back(std::make_unique<memory::Mapping>(std::move(*opened)));
  return open_.back().get();
}

Result<void> FileStore::describe(TopicId topic, const std::string& description) {
  const std::string whole = path(topic, "topic");
  const std::string beside = whole + ".new";
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out.write(description.data(), static_cast<std::streamsize>(description.size()));
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
    std::string text(kDescriptionBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad() || text.empty() || text.size() > kDescriptionBytesMax) {
      return fail(Code::kCorrupt,
                  "{}: is no description of a topic; restore it or remove it with its sums",
                  entry.path().string());
    }
    found.push_back(std::move(text));
  }
  if (error) {
    return fail(Code::kIo, "{}: cannot be listed: {}", directory_, error.message());
  }
  return found;
}

}  // namespace godwit::gateway
