#include "api/gateway/topic_pattern.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "api/local/names.h"

namespace godwit::gateway {
namespace {

constexpr std::string_view kOnePart = "*";
constexpr std::string_view kAnyParts = "**";

std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (auto slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/')) {
    parts.emplace_back(text.substr(0, slash));
    text.remove_prefix(slash + 1);
  }
  parts.emplace_back(text);
  return parts;
}

// What is left of a name or a pattern: its first part, and what follows it.
class Rest {
 public:
  explicit Rest(std::string_view text) : text_(text) {}
  bool is_empty() const { return !text_; }
  std::string_view head() const { return text_->substr(0, text_->find('/')); }
  void pop() {
    const auto slash = text_->find('/');
    text_ =
        slash == std::string_view::npos ? std::nullopt : std::optional(text_->substr(slash + 1));
  }

 private:
  std::optional<std::string_view> text_;
};

// The parts to try: those that the patterns name, and one that no pattern names. A part that only
// patterns of `none` name is never better than the latter.
std::vector<std::string> alphabet(std::span<const TopicPattern> all,
                                  std::span<const TopicPattern> none) {
  std::set<std::string> named;
  std::set<std::string> taken;
  for (const TopicPattern& pattern : all) {
    named.insert(pattern.parts().begin(), pattern.parts().end());
  }
  for (const TopicPattern& pattern : none) {
    taken.insert(pattern.parts().begin(), pattern.parts().end());
  }
  named.erase(std::string(kOnePart));
  named.erase(std::string(kAnyParts));
  std::string other = "x";
  while (named.contains(other) || taken.contains(other)) {
    other += 'x';
  }
  std::vector<std::string> parts(named.begin(), named.end());
  parts.push_back(std::move(other));
  return parts;
}

}  // namespace

bool pattern_is_valid(std::string_view pattern) {
  const auto parts = parts_of(pattern);
  return pattern.size() <= local::kNameBytesMax &&
         std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           return part == kOnePart || part == kAnyParts || local::is_topic_part(part);
         });
}

// Of every transfer that comes: nothing is allocated, and it takes at most parts × parts steps.
// Where the names part again behind a `**`, that one takes a part more; an earlier one need not.
bool topic_matches(std::string_view pattern, std::string_view topic) {
  Rest wanted(pattern);
  Rest given(topic);
  std::optional<std::pair<Rest, Rest>> retry;  // behind the last `**`: what is wanted, what given
  while (!given.is_empty()) {
    if (!wanted.is_empty() && wanted.head() == kAnyParts) {
      wanted.pop();
      retry.emplace(wanted, given);
    } else if (!wanted.is_empty() && !given.head().empty() &&
               (wanted.head() == kOnePart || wanted.head() == given.head())) {
      wanted.pop();
      given.pop();
    } else if (retry) {
      retry->second.pop();
      wanted = retry->first;
      given = retry->second;
    } else {
      return false;
    }
  }
  while (!wanted.is_empty() && wanted.head() == kAnyParts) {
    wanted.pop();
  }
  return wanted.is_empty();
}

TopicPattern::TopicPattern(std::string_view text) : parts_(parts_of(text)) {}

// `**` may stand for nothing: whoever is before it is behind it, too.
void TopicPattern::pass_over(Places& places) const {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (places[i] && parts_[i] == kAnyParts) {
      places[i + 1] = true;
    }
  }
}

TopicPattern::Places TopicPattern::start() const {
  Places places(parts_.size() + 1);
  places[0] = true;
  pass_over(places);
  return places;
}

TopicPattern::Places TopicPattern::after(const Places& places, std::string_view part) const {
  Places next(places.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!places[i]) {
      continue;
    }
    if (parts_[i] == kAnyParts) {
      next[i] = true;
    } else if (!part.empty() && (parts_[i] == kOnePart || parts_[i] == part)) {
      next[i + 1] = true;
    }
  }
  pass_over(next);
  return next;
}

bool TopicPattern::accepts_all(const Places& places) const {
  return parts_.back() == kAnyParts && places[parts_.size() - 1];
}

Result<std::optional<std::string>> find_topic(std::span<const TopicPattern> all,
                                              std::span<const TopicPattern> none,
                                              std::size_t& steps) {
  using State = std::vector<TopicPattern::Places>;  // of `all`, then of `none`
  const std::vector<std::string> parts = alphabet(all, none);
  const auto pattern = [&](std::size_t i) -> const TopicPattern& {
    return i < all.size() ? all[i] : none[i - all.size()];
  };
  // A topic that begins so may still be one: every `all` can go on, no `none` has won for good.
  const auto may_go_on = [&](const State& state) {
    for (std::size_t i = 0; i < state.size(); ++i) {
      const bool lost = i < all.size()
                            ? std::find(state[i].begin(), state[i].end(), true) == state[i].end()
                            : pattern(i).accepts_all(state[i]);
      if (lost) {
        return false;
      }
    }
    return true;
  };
  const auto is_found = [&](const State& state) {
    const auto end = state.begin() + static_cast<std::ptrdiff_t>(all.size());
    return std::all_of(state.begin(), end, &TopicPattern::accepts) &&
           std::none_of(end, state.end(), &TopicPattern::accepts);
  };
  State first;
  for (std::size_t i = 0; i < all.size() + none.size(); ++i) {
    first.push_back(pattern(i).start());
  }
  std::set<State> seen;
  std::deque<std::pair<State, std::string>> waiting;
  waiting.emplace_back(std::move(first), "");
  while (!waiting.empty()) {
    const auto [state, topic] = std::move(waiting.front());
    waiting.pop_front();
    for (const std::string& part : parts) {
      if (steps < state.size()) {
        steps = 0;
        return fail(Code::kFull, "the patterns are too many, or too intricate, to be compared");
      }
      steps -= state.size();
      State next;
      for (std::size_t i = 0; i < state.size(); ++i) {
        next.push_back(pattern(i).after(state[i], part));
      }
      std::string longer = topic;
      if (!topic.empty()) {
        longer += '/';
      }
      longer += part;
      if (is_found(next)) {
        return std::optional(std::move(longer));
      }
      if (may_go_on(next) && seen.insert(next).second) {
        waiting.emplace_back(std::move(next), std::move(longer));
      }
    }
  }
  return std::optional<std::string>();
}

}  // namespace godwit::gateway
