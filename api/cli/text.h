// How figures and tables look on a terminal.
//
// Three significant digits and a unit are enough for people; scripts take --json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::cli {

std::string human_duration(std::uint64_t nanoseconds);  // "41.2 s", "12 d 3 h"
std::string human_bytes(std::uint64_t bytes);           // "1.21 MiB"
std::string human_rate(std::uint64_t bits_per_second);  // "16.8 Mbit/s"
std::string human_count(std::uint64_t count);           // "12,288"

// Rows of cells under a heading, each column as wide as its widest cell. Columns whose cells all
// begin with a digit or '-' stand right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }

  // The empty string when no row was added.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace godwit::cli
