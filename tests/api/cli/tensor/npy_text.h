// NumPy files made by hand, right and wrong.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace godwit::tensor {

inline constexpr std::string_view kFloats3 =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n";

// Magic, version, length and `header`; in version 2 and 3 the length has four bytes.
inline std::string npy_front(std::string_view header, char major = 1) {
  std::string text("\x93NUMPY", 6);
  text += major;
  text += '\0';
  for (std::size_t i = 0; i < (major == 1 ? 2U : 4U); ++i) {
    text += static_cast<char>(header.size() >> 8 * i & 255U);
  }
  return text + std::string(header);
}

}  // namespace godwit::tensor
