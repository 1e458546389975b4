// A tensor in a file, NumPy's or raw: what it holds, checked before the first element is read.
//
// A raw file is elements and nothing else, little endian; what they are must be said. Elements are
// numbered as they stand in the file, whatever the shape.
//
// Thread: one owner. Memory: 64 KiB while opening.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/cli/tensor/element_type.h"
#include "dataplane/base/result.h"

namespace godwit::tensor {

// What the caller knows of a file.
struct Described {
  // Needed for a raw file. Of a NumPy file it must be what is there, or names what bytes or
  // unsigned integers of the same width stand for: NumPy has no bf16.
  std::optional<ElementType> type = {};
  // Of a raw file: bytes to skip, and elements to take; else all that follow.
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> count = {};
};

struct Layout {
  ElementType type = ElementType::kFloat32;
  std::uint64_t offset = 0;  // of the first element, in bytes
  std::uint64_t count = 0;   // offset + count * bytes_of(type) is at most the file's size
};

// `front` is the beginning of a file of `file_bytes`, up to kNpyFrontMax. Errors say what is wrong,
// at which byte, and what to do; they do not name the file. kInvalid: `described` does not fit.
Result<Layout> layout_of(std::span<const std::byte> front,
                         std::uint64_t file_bytes,
                         const Described& described);

class TensorFile {
 public:
  // kNotFound, kIo, or as layout_of(); every error begins with the path.
  static Result<TensorFile> open(const std::string& path, const Described& described);

  const std::string& path() const { return path_; }
  ElementType type() const { return layout_.type; }
  std::uint64_t count() const { return layout_.count; }
  // Of an element, in the file.
  std::uint64_t position_of(std::uint64_t element) const {
    return layout_.offset + element * bytes_of(layout_.type);
  }

  // The elements from `first` on, as they stand there; all within count(). kIo.
  Result<void> read(std::uint64_t first, std::span<std::byte> out);

 private:
  TensorFile() = default;

  std::string path_;
  std::ifstream stream_;
  Layout layout_;
};

// A whole NumPy file of float32, at most 4 GiB. Errors as TensorFile::open(); kInvalid: it holds
// something else.
Result<std::vector<float>> read_npy(const std::string& path);

}  // namespace godwit::tensor
