// What a session knows of each of its streams, by the stream's id.
//
// Open addressing: an entry stands in the first free place from its id's own on, and a removal
// moves the entries behind it back, so that no grave is left. Ids of one kind follow one another,
// so most stand in their own place. At most half of the places are taken; then the table doubles,
// and it never shrinks: nothing is allocated once it was as full.
//
//     id / 4:   [   ][ 17 ][ 18 ][ 2066 ][   ]     2066 has 17's place, as 2,049 are open at once
//
// Thread: one. Memory: the limits on streams that are open at once bound it, four of whose places
// it has at most, and never fewer than kLeast. Who opens streams can arrange ids of one place: a
// look-up then passes them all, which the same limit bounds. References are valid until the next
// insert or erase.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dataplane/base/assert.h"

namespace godwit::transport {

template <typename T>
class StreamTable {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  // nullptr: the table has no such stream.
  const T* find(std::int64_t stream) const {
    const std::size_t place = place_of(stream);
    return place < places_.size() && places_[place].stream == stream ? &places_[place].value
                                                                     : nullptr;
  }
  T* find(std::int64_t stream) { return const_cast<T*>(std::as_const(*this).find(stream)); }
  // The table must have it.
  const T& at(std::int64_t stream) const {
    const T* const value = find(stream);
    GODWIT_ASSERT(value != nullptr, "an unknown stream");
    return *value;
  }
  T& at(std::int64_t stream) { return const_cast<T&>(std::as_const(*this).at(stream)); }
  // The stream's entry, a default one if it had none. stream >= 0.
  T& operator[](std::int64_t stream) {
    GODWIT_ASSERT(stream >= 0, "streams are numbered from zero");
    if ((size_ + 1) * 2 > places_.size()) {
      grow();
    }
    Place& place = places_[place_of(stream)];
    if (place.stream != stream) {
      place.stream = stream;
      ++size_;
    }
    return place.value;
  }
  // `visit(stream, value)` for every one, in no order.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Place& place : places_) {
      if (place.stream != kNone) {
        visit(place.stream, place.value);
      }
    }
  }
  // False: it had none.
  bool erase(std::int64_t stream) {
    std::size_t hole = place_of(stream);
    if (hole >= places_.size() || places_[hole].stream != stream) {
      return false;
    }
    const std::size_t mask = places_.size() - 1;
    for (std::size_t at = (hole + 1) & mask; places_[at].stream != kNone; at = (at + 1) & mask) {
      // Whoever's own place is not behind the hole may stand in it.
      if (((at - own_place(places_[at].stream)) & mask) >= ((at - hole) & mask)) {
        places_[hole] = std::move(places_[at]);
        hole = at;
      }
    }
    places_[hole] = Place();
    --size_;
    return true;
  }

 private:
  static constexpr std::int64_t kNone = -1;
  static constexpr std::size_t kLeast = 16;  // chosen
  struct Place {
    std::int64_t stream = kNone;
    T value{};
  };

  // The low two bits are the stream's kind (RFC 9000 section 2.1), the same for most of a table.
  std::size_t own_place(std::int64_t stream) const {
    return static_cast<std::size_t>(stream >> 2) & (places_.size() - 1);
  }
  // Where the stream stands, or would; the number of places while there are none.
  std::size_t place_of(std::int64_t stream) const {
    if (places_.empty()) {
      return 0;
    }
    std::size_t place = own_place(stream);
    while (places_[place].stream != kNone && places_[place].stream != stream) {
      place = (place + 1) & (places_.size() - 1);
    }
    return place;
  }
  void grow() {
    std::vector<Place> former(std::max(kLeast, places_.size() * 2));
    former.swap(places_);
    for (Place& place : former) {
      if (place.stream != kNone) {
        places_[place_of(place.stream)] = std::move(place);
      }
    }
  }

  std::vector<Place> places_;
  std::size_t size_ = 0;
};

}  // namespace godwit::transport
