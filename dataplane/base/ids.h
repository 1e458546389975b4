// Identities that cross module boundaries, each its own type.
//
// Sites and topics are named by people; on the wire a name is its FNV-1a hash, so that no table of
// numbers has to be agreed upon. Configuration and `declare` refuse two names with one hash.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace godwit {

// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): a stable hash of a name.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

// A distinct integer type per kind of identity; `Tag` is never defined.
template <class Tag, class Integer>
class Id {
 public:
  constexpr Id() = default;
  explicit constexpr Id(Integer value) : value_(value) {}

  // The identity of a named thing: its hash, folded to the width of the integer.
  static constexpr Id of(std::string_view name) {
    const std::uint64_t hash = fnv1a(name);
    if constexpr (sizeof(Integer) < sizeof(hash)) {
      return Id(static_cast<Integer>(hash ^ (hash >> 32U)));
    } else {
      return Id(hash);
    }
  }

  constexpr Integer value() const { return value_; }
  constexpr auto operator<=>(const Id&) const = default;

 private:
  Integer value_ = 0;
};

using SiteId = Id<struct SiteTag, std::uint32_t>;
using TopicId = Id<struct TopicTag, std::uint64_t>;
using PublisherId = Id<struct PublisherTag, std::uint64_t>;
using SubscriberId = Id<struct SubscriberTag, std::uint64_t>;

// One life of an end's state. The counter is durable before first use; the nonce tells two lives
// apart that claim the same counter. It changes exactly when the state was not recovered.
struct Incarnation {
  std::uint32_t counter = 0;
  std::uint32_t nonce = 0;

  constexpr std::uint64_t packed() const {
    return (static_cast<std::uint64_t>(counter) << 32U) | nonce;
  }
  static constexpr Incarnation from_packed(std::uint64_t packed) {
    return {static_cast<std::uint32_t>(packed >> 32U), static_cast<std::uint32_t>(packed)};
  }
  constexpr auto operator<=>(const Incarnation&) const = default;
};

}  // namespace godwit

template <class Tag, class Integer>
struct std::hash<godwit::Id<Tag, Integer>> {
  std::size_t operator()(const godwit::Id<Tag, Integer>& id) const noexcept {
    return std::hash<Integer>()(id.value());
  }
};
