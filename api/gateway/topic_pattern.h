// Patterns of topic names: what they match, and which topics several of them have in common.
//
// Names and patterns are parts separated by '/'. `*` stands for one part, `**` for any number of
// parts, none included; every other part stands for itself.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::gateway {

// True when every part is `*`, `**` or may be a part of a topic's name (local::is_topic_part), and
// the pattern has at most 255 bytes; another one would never match.
bool pattern_is_valid(std::string_view pattern);

// True when the topic's name matches the pattern.
bool topic_matches(std::string_view pattern, std::string_view topic);

// A pattern as the automaton that reads a name part by part.
class TopicPattern {
 public:
  // The places in the pattern at which a reader may be: before part i, or at the end.
  using Places = std::vector<bool>;

  explicit TopicPattern(std::string_view text);

  Places start() const;
  Places after(const Places& places, std::string_view part) const;
  // What was read so far matches.
  static bool accepts(const Places& places) { return places.back(); }
  // Whatever follows matches, too.
  bool accepts_all(const Places& places) const;
  const std::vector<std::string>& parts() const { return parts_; }

 private:
  void pass_over(Places& places) const;

  std::vector<std::string> parts_;
};

// A shortest topic that all patterns of `all` match (at least one) and no pattern of `none`, or
// nothing when there is no such topic. `steps` bounds the search and is counted down by it; kFull
// when it reaches 0 before the answer is known.
Result<std::optional<std::string>> find_topic(std::span<const TopicPattern> all,
                                              std::span<const TopicPattern> none,
                                              std::size_t& steps);

}  // namespace godwit::gateway
