#include "dataplane/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace godwit::log {
namespace {

spdlog::logger& logger() {
  static const auto kInstance = [] {
    auto made = spdlog::stderr_color_mt("godwit");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L %n: %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *kInstance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

void set_level(Level level) {
  logger().set_level(to_spdlog(level));
}

void set_name(std::string_view name) {
  logger().set_pattern(fmt::format("%Y-%m-%dT%H:%M:%S.%eZ %L {}: %v", name),
                       spdlog::pattern_time_type::utc);
}

void write(Level level, std::string_view text) {
  logger().log(to_spdlog(level), text);
}

bool enabled(Level level) {
  return logger().should_log(to_spdlog(level));
}

}  // namespace godwit::log
