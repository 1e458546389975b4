// Command lines of the test programs: `--name value` pairs, each at most once.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace godwit::integration {

class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i + 1 < count; i += 2) {
      values_[words[i]] = words[i + 1];
    }
  }
  std::string text(const std::string& name, std::string_view fallback = "") const {
    const auto at = values_.find(name);
    return at == values_.end() ? std::string(fallback) : at->second;
  }
  std::uint64_t number(const std::string& name, std::uint64_t fallback) const {
    const auto at = values_.find(name);
    return at == values_.end() ? fallback : std::stoull(at->second);
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace godwit::integration
