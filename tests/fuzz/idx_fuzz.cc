// Any bytes as an unpacked file of images or labels: what is taken is the file's own tail, of the
// size that its header announces, and every label is one of the classes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/workloads/trainer/dataset.h"
#include "dataplane/base/assert.h"

namespace {

constexpr std::size_t kImagesHeader = 16;
constexpr std::size_t kLabelsHeader = 8;

bool is_tail(std::span<const std::byte> file,
             std::size_t header,
             const std::vector<std::uint8_t>& taken) {
  const auto tail = file.subspan(header);
  return std::equal(tail.begin(), tail.end(), taken.begin(), taken.end(), [](auto a, auto b) {
    return std::to_integer<std::uint8_t>(a) == b;
  });
}

// Big endian, at the fourth byte.
std::size_t announced(std::span<const std::byte> file) {
  std::size_t count = 0;
  for (const std::byte digit : file.subspan(4, 4)) {
    count = 256 * count + std::to_integer<std::size_t>(digit);
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto images = godwit::trainer::parse_images(file);
  const auto labels = godwit::trainer::parse_labels(file);
  GODWIT_ASSERT(!images || !labels, "a file is of one kind");
  GODWIT_ASSERT(images || !images.error().message.empty());
  GODWIT_ASSERT(labels || !labels.error().message.empty());
  if (images) {
    GODWIT_ASSERT(images->size() == announced(file) * godwit::trainer::kPixels);
    GODWIT_ASSERT(is_tail(file, kImagesHeader, *images));
  }
  if (labels) {
    GODWIT_ASSERT(labels->size() == announced(file) && is_tail(file, kLabelsHeader, *labels));
    GODWIT_ASSERT(std::all_of(labels->begin(), labels->end(), [](std::uint8_t label) {
      return label < godwit::trainer::kClasses;
    }));
  }
  return 0;
}
