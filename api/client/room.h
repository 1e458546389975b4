// How many bytes of publishes may be unsafe at once, over all connections of a client.
#pragma once

#include <cstddef>

namespace godwit::client {

class Room {
 public:
  explicit Room(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  bool has(std::size_t cost) const { return used_ + cost <= bytes_max_; }
  bool has_ever(std::size_t cost) const { return cost <= bytes_max_; }
  void take(std::size_t cost) { used_ += cost; }
  void give_back(std::size_t cost) { used_ -= cost; }
  std::size_t used() const { return used_; }

 private:
  std::size_t bytes_max_;
  std::size_t used_ = 0;
};

}  // namespace godwit::client
