// Tells that one of a few files was exchanged or written.
//
// Looks at size, time of change and inode, by name: a file that was renamed into place counts, a
// missing one as well. Thread: one. Time: passed in; the file system is asked once in a period.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/units.h"

namespace godwit::gateway {

class FileWatch {
 public:
  static constexpr Duration kPeriod = Duration::ms(2'000);

  FileWatch(Instant now, std::vector<std::string> files);

  // True once after a change; two files that are exchanged one after the other may give two.
  bool has_changed(Instant now);

 private:
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t bytes = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Mark&) const = default;
  };
  std::vector<Mark> look() const;

  std::vector<std::string> files_;
  std::vector<Mark> seen_;
  Instant next_;
};

}  // namespace godwit::gateway
