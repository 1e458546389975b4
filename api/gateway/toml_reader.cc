#include "api/gateway/toml_reader.h"

#include <algorithm>
#include <numeric>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dataplane/base/plain.h"

namespace godwit::gateway {
namespace {

// Levenshtein distance, for "did you mean"; both texts are short keys.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

void Problems::add(const toml::source_region& where, std::string_view what) {
  lines_.push_back(
      plain(where.begin.line == 0
                ? fmt::format("{}: {}", file_, what)
                : fmt::format("{}:{}:{}: {}", file_, where.begin.line, where.begin.column, what)));
}

std::string Problems::text() const {
  return fmt::format("{}", fmt::join(lines_, "\n"));
}

const toml::node* TableReader::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
    known_.emplace_back(key);
  }
  return table_.get(key);
}

std::string TableReader::written(const toml::node& node) {
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (!node.is_value()) {
    return node.is_table() ? "a table" : "an array";
  }
  std::ostringstream out;
  node.visit([&out](const auto& value) { out << value; });
  return out.str();
}

void TableReader::complain(const toml::node& node, std::string_view key, std::string_view what) {
  problems_.add(node.source(), fmt::format("{} {}: {}", path_, key, what));
}

bool TableReader::has(std::string_view key) {
  return find(key) != nullptr;
}

std::string TableReader::text(std::string_view key, std::string_view fallback) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    return std::string(fallback);
  }
  if (const auto* value = node->as_string()) {
    return value->get();
  }
  complain(*node, key, "must be a string");
  return std::string(fallback);
}

std::string TableReader::required_text(std::string_view key) {
  const std::string value = text(key, "");
  if (table_.get(key) == nullptr) {
    problems_.add(table_.source(), fmt::format("{} needs the key `{}`", path_, key));
  } else if (value.empty()) {
    reject(key, "must not be empty");
  }
  return value;
}

double TableReader::number(std::string_view key, double fallback, double least, double most) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    return fallback;
  }
  const auto value = node->value<double>();
  if (!node->is_number() || !value || !(*value >= least && *value <= most)) {
    complain(*node, key, fmt::format("must be a number from {} to {}", least, most));
    return fallback;
  }
  return *value;
}

std::uint64_t TableReader::whole_number(std::string_view key,
                                        std::uint64_t fallback,
                                        std::uint64_t least,
                                        std::uint64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    return fallback;
  }
  const auto* value = node->as_integer();
  if (value == nullptr || value->get() < 0 || static_cast<std::uint64_t>(value->get()) < least ||
      static_cast<std::uint64_t>(value->get()) > most) {
    complain(*node,
             key,
             least == most ? fmt::format("must be the whole number {}", least)
                           : fmt::format("must be a whole number from {} to {}", least, most));
    return fallback;
  }
  return static_cast<std::uint64_t>(value->get());
}

std::vector<std::string> TableReader::texts(std::string_view key) {
  std::vector<std::string> out;
  const toml::node* node = find(key);
  if (node == nullptr) {
    return out;
  }
  const auto* list = node->as_array();
  if (list == nullptr) {
    complain(*node, key, "must be an array of strings");
    return out;
  }
  for (const auto& element : *list) {
    if (const auto* value = element.as_string()) {
      out.push_back(value->get());
    } else {
      complain(element, key, "must be an array of strings");
    }
  }
  return out;
}

const toml::table* TableReader::table(std::string_view key, std::string_view such_as) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    return nullptr;
  }
  if (!node->is_table()) {
    complain(*node,
             key,
             such_as.empty() ? "must be a table" : fmt::format("must be a table: {}", such_as));
    return nullptr;
  }
  return node->as_table();
}

const toml::array* TableReader::array(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    return nullptr;
  }
  if (!node->is_array()) {
    complain(*node, key, "must be an array of tables");
    return nullptr;
  }
  return node->as_array();
}

std::string TableReader::choice(std::string_view key,
                                std::string_view fallback,
                                const std::vector<std::string_view>& allowed) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    return std::string(fallback);
  }
  const std::string value = written(*node);
  if (!node->is_string() || std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    reject(key, fmt::format("\"{}\" is not one of: {}", value, fmt::join(allowed, ", ")));
    return std::string(fallback);
  }
  return value;
}

void TableReader::reject(std::string_view key, std::string_view what) {
  const toml::node* node = table_.get(key);
  const toml::source_region nowhere{};
  problems_.add(node != nullptr       ? node->source()
                : path_ == kWholeFile ? nowhere
                                      : table_.source(),
                fmt::format("{} {}: {}", path_, key, what));
}

void TableReader::expect_path(std::string_view key, std::string_view path) {
  if (path.find('\0') != std::string_view::npos) {
    reject(key, "must not hold the character U+0000; a path ends there");
  }
  for (auto at = path.find('{'); at != std::string_view::npos; at = path.find('{', at + 1)) {
    if (!path.substr(at).starts_with(kSitePlaceholder)) {
      reject(key,
             fmt::format("has {}; the only placeholder is {{site}}", toml_string(path.substr(at))));
      return;
    }
  }
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void TableReader::finish() {
  for (const auto& [key, node] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) {
      continue;
    }
    std::string_view nearest;
    // Chosen: with most letters, or more than three, wrong a suggestion confuses.
    std::size_t distance = std::min<std::size_t>((key.str().size() + 1) / 2, 3) + 1;
    for (const auto& candidate : known_) {
      const std::size_t d = edit_distance(key.str(), candidate);
      if (d < distance) {
        distance = d;
        nearest = candidate;
      }
    }
    problems_.add(key.source(),
                  fmt::format("{}: unknown key `{}`; {}allowed here: {}",
                              path_,
                              key.str(),
                              nearest.empty() ? "" : fmt::format("did you mean `{}`? ", nearest),
                              fmt::join(known_, ", ")));
  }
}

}  // namespace godwit::gateway
