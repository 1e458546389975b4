#include "api/cli/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <span>

#include <fmt/format.h>

#include "dataplane/base/plain.h"

namespace godwit::cli {
namespace {

// Three significant digits: 1.23, 12.3, 123.
std::string three_digits(double value) {
  if (value < 9.995) {
    return fmt::format("{:.2f}", value);
  }
  return value < 99.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

std::string scaled(double value, double step, std::span<const char* const> units) {
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  return fmt::format(
      "{} {}", unit == 0 ? fmt::format("{:.0f}", value) : three_digits(value), units[unit]);
}

// Code points, so that a name in UTF-8 does not shift its column.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

bool is_figure(std::string_view cell) {
  return cell.empty() || cell == "-" || std::isdigit(static_cast<unsigned char>(cell[0])) != 0;
}

}  // namespace

std::string human_duration(std::uint64_t nanoseconds) {
  constexpr std::uint64_t kMinute = 60;
  constexpr std::uint64_t kHour = 60 * kMinute;
  constexpr std::uint64_t kDay = 24 * kHour;
  const std::uint64_t seconds = nanoseconds / 1'000'000'000U;
  if (seconds >= kDay) {
    return fmt::format("{} d {} h", seconds / kDay, seconds % kDay / kHour);
  }
  if (seconds >= kHour) {
    return fmt::format("{} h {} min", seconds / kHour, seconds % kHour / kMinute);
  }
  if (seconds >= kMinute) {
    return fmt::format("{} min {} s", seconds / kMinute, seconds % kMinute);
  }
  static constexpr std::array<const char*, 4> kUnits = {"ns", "us", "ms", "s"};
  return scaled(static_cast<double>(nanoseconds), 1000, kUnits);
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  return scaled(static_cast<double>(bytes), 1024, kUnits);
}

std::string human_rate(std::uint64_t bits_per_second) {
  static constexpr std::array<const char*, 5> kUnits = {
      "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
  return scaled(static_cast<double>(bits_per_second), 1000, kUnits);
}

std::string human_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string Table::text() const {
  if (empty()) {
    return "";
  }
  const std::size_t columns = rows_.front().size();
  std::vector<std::size_t> width(columns, 0);
  std::vector<bool> figures(columns, true);
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const std::string& cell = rows_[row][column];
      width[column] = std::max(width[column], width_of(cell));
      figures[column] = figures[column] && (row == 0 || is_figure(cell));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t column = 0; column < columns; ++column) {
      const std::string cell = plain(row[column]);
      const std::string gap(width[column] - width_of(cell), ' ');
      line += (column == 0 ? "" : "  ") + (figures[column] ? gap + cell : cell + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace godwit::cli
