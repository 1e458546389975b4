// One line per event of the control plane, to standard error; never on the path of a packet.
//
// spdlog is hidden behind this file. Levels: error (somebody must act), warn (something was
// refused or lost its way), info (a state changed, once), debug (off by default).
//
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace godwit::log {

enum class Level : std::uint8_t {
  kDebug,
  kInfo,
  kWarn,
  kError,
  kOff,
};

// The least level that is written; info at start.
void set_level(Level level);

// A short name in front of every line, e.g. the site.
void set_name(std::string_view name);

void write(Level level, std::string_view text);
bool enabled(Level level);

template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::kDebug)) {
    write(Level::kDebug, fmt::format(text, std::forward<Args>(args)...));
  }
}

template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::kInfo)) {
    write(Level::kInfo, fmt::format(text, std::forward<Args>(args)...));
  }
}

template <class... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::kWarn)) {
    write(Level::kWarn, fmt::format(text, std::forward<Args>(args)...));
  }
}

template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::kError)) {
    write(Level::kError, fmt::format(text, std::forward<Args>(args)...));
  }
}

}  // namespace godwit::log
