// A TAP interface of the test's own: the frames that others put on it, and a way to put some there.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace godwit::port {

class Tap {
 public:
  // Made and up, without IPv6, in the present network namespace; the test fails otherwise.
  explicit Tap(const std::string& name, int mtu = 1'500);
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;
  ~Tap();

  void put(std::span<const std::byte> frame) const;
  // The next frame that somebody sent through the interface; waits for it.
  std::vector<std::byte> take() const;
  // Runs `ip WORDS`.
  static void ip(const std::string& words);

 private:
  int descriptor_ = -1;
};

}  // namespace godwit::port
