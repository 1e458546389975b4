#include "api/cli/progress.h"

#include <fmt/format.h>

namespace godwit::cli {
namespace {

constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

Progress::~Progress() {
  if (is_shown_) {
    *err_ << kClearLine << std::flush;
  }
}

void Progress::say(std::string_view what, std::size_t step, std::size_t all) {
  if (err_ != nullptr) {
    *err_ << fmt::format("{}{} of {}  {}", kClearLine, step, all, what) << std::flush;
    is_shown_ = true;
  }
}

}  // namespace godwit::cli
