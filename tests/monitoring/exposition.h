// A strict reader of Prometheus' text format, enough to check what a gateway exports.
#pragma once

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace godwit::monitoring {

struct Exposition {
  std::map<std::string, std::string> help;  // By family.
  std::map<std::string, std::string> type;
  std::map<std::string, double> samples;  // By the text before the value: name{labels}.
  std::vector<std::string> bad_lines;

  // The family of a sample: its name without labels and without a histogram's suffix.
  [[nodiscard]] std::string family(const std::string& sample) const {
    const std::string name = sample.substr(0, sample.find('{'));
    for (const std::string suffix : {"_bucket", "_count", "_sum"}) {
      if (name.ends_with(suffix)) {
        const std::string base = name.substr(0, name.size() - suffix.size());
        const auto found = type.find(base);
        if (found != type.end() && found->second == "histogram") {
          return base;
        }
      }
    }
    return name;
  }

  [[nodiscard]] std::size_t samples_of(const std::string& wanted) const {
    std::size_t count = 0;
    for (const auto& [sample, value] : samples) {
      count += family(sample) == wanted ? 1U : 0U;
    }
    return count;
  }
};

inline Exposition read_exposition(const std::string& text) {
  Exposition out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash;
    std::string what;
    std::string name;
    if (line.starts_with("# ")) {
      words >> hash >> what >> name;
      std::string rest;
      std::getline(words >> std::ws, rest);
      (what == "HELP" ? out.help : out.type)[name] = rest;
      continue;
    }
    const std::size_t space = line.rfind(' ');
    if (space == std::string::npos || space == 0) {
      out.bad_lines.push_back(line);
      continue;
    }
    std::size_t used = 0;
    const std::string value = line.substr(space + 1);
    const double number = std::stod(value, &used);
    if (used != value.size() || !out.samples.emplace(line.substr(0, space), number).second) {
      out.bad_lines.push_back(line);
    }
  }
  return out;
}

}  // namespace godwit::monitoring
