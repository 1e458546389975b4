// Strict reading of a TOML table: what is not asked for is an error.
//
// A TableReader hands out values by key, remembers which keys were asked for, and complains about
// the rest with file:line:column, the nearest known key and all that are allowed. Problems are
// collected, not thrown, so that a person sees all of them at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "dataplane/base/result.h"

namespace godwit::gateway {

class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}

  // `where` without a line stands for what is not in the file: then no place is named.
  void add(const toml::source_region& where, std::string_view what);
  bool empty() const { return lines_.empty(); }
  std::string text() const;

 private:
  std::string file_;
  std::vector<std::string> lines_;
};

// `text` as a basic string of TOML.
std::string toml_string(std::string_view text);

class TableReader {
 public:
  // How messages call the table that holds all others.
  static constexpr std::string_view kWholeFile = "the file";
  static constexpr std::string_view kSitePlaceholder = "{site}";  // in paths

  // `path` is how messages call this table, e.g. "[self]".
  TableReader(const toml::table& table, std::string path, Problems& problems)
      : table_(table), path_(std::move(path)), problems_(problems) {}

  bool has(std::string_view key);
  std::string text(std::string_view key, std::string_view fallback);
  std::string required_text(std::string_view key);
  double number(std::string_view key, double fallback, double least, double most);
  // A TOML integer; one with a fraction, or written as a float, is refused.
  std::uint64_t whole_number(std::string_view key,
                             std::uint64_t fallback,
                             std::uint64_t least,
                             std::uint64_t most);
  std::vector<std::string> texts(std::string_view key);
  // `such_as` is a value that a person may have meant, for who wrote something else.
  const toml::table* table(std::string_view key, std::string_view such_as = "");
  const toml::array* array(std::string_view key);
  // One of a few words; `fallback`, which need not be one of them, where nothing is written.
  std::string choice(std::string_view key,
                     std::string_view fallback,
                     const std::vector<std::string_view>& allowed);

  // A text converted by `parse`; its error is reported at the value's place.
  template <class T>
  void parsed(std::string_view key, Result<T> (*parse)(std::string_view), T& out) {
    const toml::node* node = find(key);
    if (node == nullptr) {
      return;
    }
    const std::string value = written(*node);
    if (auto result = parse(value); !result) {
      complain(*node, key, result.error().message);
    } else if (!node->is_string()) {
      complain(*node, key, fmt::format("must be a string, {}", toml_string(value)));
    } else {
      out = *result;
    }
  }

  // Complains at the place of `key`, or of the table when the key is missing; what is missing in
  // the whole file has no place.
  void reject(std::string_view key, std::string_view what);
  // Complains of a text that cannot be a path, or has another placeholder than {site}.
  void expect_path(std::string_view key, std::string_view path);
  // Call last: every key that nobody asked for is a problem.
  void finish();

 private:
  const toml::node* find(std::string_view key);
  // A string's content; how a number, a date or a truth is written; else the word for what it is.
  static std::string written(const toml::node& node);
  void complain(const toml::node& node, std::string_view key, std::string_view what);

  const toml::table& table_;
  std::string path_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace godwit::gateway
