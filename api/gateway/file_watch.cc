#include "api/gateway/file_watch.h"

#include <utility>

#include <sys/stat.h>

namespace godwit::gateway {

FileWatch::FileWatch(Instant now, std::vector<std::string> files)
    : files_(std::move(files)), seen_(look()), next_(now + kPeriod) {}

std::vector<FileWatch::Mark> FileWatch::look() const {
  std::vector<Mark> marks;
  for (const std::string& file : files_) {
    struct stat info {};
    Mark mark;
    if (::stat(file.c_str(), &info) == 0) {
      mark.inode = info.st_ino;
      mark.bytes = info.st_size;
      mark.changed_ns = info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec;
    }
    marks.push_back(mark);
  }
  return marks;
}

bool FileWatch::has_changed(Instant now) {
  if (now < next_) {
    return false;
  }
  next_ = now + kPeriod;
  return std::exchange(seen_, look()) != seen_;
}

}  // namespace godwit::gateway
