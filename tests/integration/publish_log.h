// What a publisher of these tests will publish, written to a file before it publishes: the truth
// that every site's sum is compared with.
//
// A publisher that is killed repeats what it logged last, under the same steps. An entry that was
// cut by the kill was never published; reopening drops it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace godwit::integration {

struct LoggedPublish {
  std::uint64_t step = 0;
  std::uint64_t first = 0;
  std::vector<std::int64_t> values;  // quanta
};

// The complete entries of a file; none when there is no file. `bytes` is their length.
std::vector<LoggedPublish> read_log(const std::string& path, std::uint64_t* bytes = nullptr);

// Adds every entry of the file to `sum`.
void add_log(const std::string& path, std::vector<std::int64_t>& sum);

class PublishLog {
 public:
  // Opens or makes the file and drops a cut entry at its end.
  explicit PublishLog(const std::string& path);
  ~PublishLog();
  PublishLog(const PublishLog&) = delete;
  PublishLog& operator=(const PublishLog&) = delete;

  const std::vector<LoggedPublish>& before() const { return before_; }
  // False when it could not be written; then it must not be published.
  bool append(const LoggedPublish& entry) const;

 private:
  std::vector<LoggedPublish> before_;
  int fd_ = -1;
};

}  // namespace godwit::integration
