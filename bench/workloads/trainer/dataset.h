// Fashion-MNIST from the Debian package dataset-fashion-mnist: 28×28 grey images of ten kinds of
// clothing.
//
// The files are IDX (http://yann.lecun.com/exdb/mnist/, "the IDX file format"), gzipped. They come
// from outside: sizes are bounded and checked, labels are below kClasses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::trainer {

inline constexpr std::size_t kPixels = 28 * 28;
inline constexpr std::size_t kClasses = 10;
inline constexpr char kDatasetFolder[] = "/usr/share/datasets/fashion-mnist";

// The most bytes that one unpacked file may have: the largest true one has 47,040,016.
inline constexpr std::size_t kFileBytesMax = std::size_t{64} << 20U;

struct Dataset {
  std::vector<std::uint8_t> pixels;  // kPixels per sample, row by row, 0 is black
  std::vector<std::uint8_t> labels;  // one per sample, in [0, kClasses)

  std::size_t size() const { return labels.size(); }
  std::span<const std::uint8_t> image(std::size_t index) const {
    return std::span(pixels).subspan(index * kPixels, kPixels);
  }
};

enum class Part : std::uint8_t {
  kTrain,  // 60,000 samples
  kTest,   // 10,000 samples
};

Result<Dataset> load_dataset(const std::string& folder, Part part);

// The two decoders, apart from the file system. `images` and `labels` are whole unpacked files.
Result<std::vector<std::uint8_t>> parse_images(std::span<const std::byte> images);
Result<std::vector<std::uint8_t>> parse_labels(std::span<const std::byte> labels);

}  // namespace godwit::trainer
