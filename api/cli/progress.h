// A line on the terminal that says how far a long command is, and is gone when it ends.
//
// Thread: one. Memory: none.
#pragma once

#include <cstddef>
#include <ostream>
#include <string_view>

namespace godwit::cli {

class Progress {
 public:
  // Says nothing unless `is_terminal`: a log wants no lines that replace each other.
  Progress(std::ostream& err, bool is_terminal) : err_(is_terminal ? &err : nullptr) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void say(std::string_view what, std::size_t step, std::size_t all);

 private:
  std::ostream* err_;
  bool is_shown_ = false;
};

}  // namespace godwit::cli
