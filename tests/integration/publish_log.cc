#include "tests/integration/publish_log.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace godwit::integration {
namespace {

constexpr std::size_t kHeadWords = 3;  // step, first, count

}  // namespace

std::vector<LoggedPublish> read_log(const std::string& path, std::uint64_t* bytes) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::int64_t> words(text.size() / sizeof(std::int64_t));
  if (!words.empty()) {
    std::memcpy(words.data(), text.data(), words.size() * sizeof(std::int64_t));
  }
  std::vector<LoggedPublish> entries;
  std::size_t at = 0;
  while (words.size() - at >= kHeadWords) {
    const auto count = static_cast<std::size_t>(words[at + 2]);
    if (count > words.size() - at - kHeadWords) {
      break;
    }
    const auto* values = words.data() + at + kHeadWords;
    entries.push_back({static_cast<std::uint64_t>(words[at]),
                       static_cast<std::uint64_t>(words[at + 1]),
                       {values, values + count}});
    at += kHeadWords + count;
  }
  if (bytes != nullptr) {
    *bytes = at * sizeof(std::int64_t);
  }
  return entries;
}

void add_log(const std::string& path, std::vector<std::int64_t>& sum) {
  for (const auto& entry : read_log(path)) {
    for (std::size_t i = 0; i < entry.values.size(); ++i) {
      sum.at(entry.first + i) += entry.values[i];
    }
  }
}

PublishLog::PublishLog(const std::string& path) {
  std::uint64_t bytes = 0;
  before_ = read_log(path, &bytes);
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ >= 0 && ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

PublishLog::~PublishLog() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

bool PublishLog::append(const LoggedPublish& entry) const {
  std::vector<std::int64_t> words{static_cast<std::int64_t>(entry.step),
                                  static_cast<std::int64_t>(entry.first),
                                  static_cast<std::int64_t>(entry.values.size())};
  words.insert(words.end(), entry.values.begin(), entry.values.end());
  const auto bytes = static_cast<ssize_t>(words.size() * sizeof(std::int64_t));
  return ::write(fd_, words.data(), static_cast<std::size_t>(bytes)) == bytes;
}

}  // namespace godwit::integration
