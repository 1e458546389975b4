// Which publishes to its shards one publish of a topic became.
//
//   the application's number   17                     18
//   shard: the shard's number   0: 9   1: 12   2: 9    1: 13
//
// Memory: 16 bytes for each shard of each publish that is remembered, as many as an Outbox does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace godwit::client {

struct ShardPublish {
  std::uint32_t shard = 0;
  std::uint64_t number = 0;  // in the shard's outbox
};

struct BookedPublish {
  std::vector<ShardPublish> shards = {};  // rising
  // Why the client itself refused it: no shard has seen it then. Empty otherwise.
  std::string refusal = {};
};

class TicketBook {
 public:
  // Returns the publish's number: 1, 2, ...
  std::uint64_t add(BookedPublish publish) {
    entries_.push_back(std::move(publish));
    return first_number_ + entries_.size() - 1;
  }
  // nullptr for one that is forgotten, or never was.
  const BookedPublish* find(std::uint64_t number) const {
    const bool is_here = number >= first_number_ && number - first_number_ < entries_.size();
    return is_here ? &entries_[number - first_number_] : nullptr;
  }
  // Forgets the oldest while there are more than `count` and `finished(publish)` holds.
  template <class Finished>
  void keep(std::size_t count, Finished finished) {
    while (entries_.size() > count && finished(entries_.front())) {
      entries_.pop_front();
      ++first_number_;
    }
  }
  std::size_t size() const { return entries_.size(); }

 private:
  std::deque<BookedPublish> entries_;  // entries_[0] has number first_number_
  std::uint64_t first_number_ = 1;
};

}  // namespace godwit::client
