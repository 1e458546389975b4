#include "bench/workloads/trainer/dataset.h"

#include <memory>
#include <string_view>
#include <utility>

#include <zlib.h>

namespace godwit::trainer {
namespace {

// "IDX" magic numbers: two zero bytes, type 0x08 (unsigned byte), number of dimensions.
constexpr std::uint32_t kMagicImages = 0x00000803;
constexpr std::uint32_t kMagicLabels = 0x00000801;
constexpr std::size_t kImagesHeader = 16;
constexpr std::size_t kLabelsHeader = 8;

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8U) | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

std::vector<std::uint8_t> copy_tail(std::span<const std::byte> bytes, std::size_t from) {
  std::vector<std::uint8_t> out;
  out.reserve(bytes.size() - from);
  for (const std::byte b : bytes.subspan(from)) {
    out.push_back(std::to_integer<std::uint8_t>(b));
  }
  return out;
}

struct CloseGzip {
  void operator()(gzFile file) const { gzclose(file); }
};

Result<std::vector<std::byte>> unpack(const std::string& path) {
  const std::unique_ptr<std::remove_pointer_t<gzFile>, CloseGzip> file(gzopen(path.c_str(), "rb"));
  if (!file) {
    return fail(Code::kNotFound, "{}: cannot be opened; is dataset-fashion-mnist installed?", path);
  }
  std::vector<std::byte> out;
  std::vector<std::byte> chunk(1U << 20U);
  for (;;) {
    const int got = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()));
    if (got < 0) {
      return fail(Code::kCorrupt, "{}: is not a whole gzip file", path);
    }
    if (got == 0) {
      return out;
    }
    if (out.size() + static_cast<std::size_t>(got) > kFileBytesMax) {
      return fail(Code::kCorrupt, "{}: unpacks to more than {} bytes", path, kFileBytesMax);
    }
    out.insert(out.end(), chunk.begin(), chunk.begin() + got);
  }
}

}  // namespace

Result<std::vector<std::uint8_t>> parse_images(std::span<const std::byte> images) {
  if (images.size() < kImagesHeader || big_endian(images, 0) != kMagicImages) {
    return fail(Code::kCorrupt, "not an IDX file of images");
  }
  const std::uint64_t count = big_endian(images, 4);
  if (big_endian(images, 8) != 28 || big_endian(images, 12) != 28) {
    return fail(Code::kCorrupt,
                "images are {}×{}, not 28×28",
                big_endian(images, 8),
                big_endian(images, 12));
  }
  if (images.size() - kImagesHeader != count * kPixels) {
    return fail(Code::kCorrupt,
                "{} images announced, {} bytes of them there",
                count,
                images.size() - kImagesHeader);
  }
  return copy_tail(images, kImagesHeader);
}

Result<std::vector<std::uint8_t>> parse_labels(std::span<const std::byte> labels) {
  if (labels.size() < kLabelsHeader || big_endian(labels, 0) != kMagicLabels) {
    return fail(Code::kCorrupt, "not an IDX file of labels");
  }
  if (labels.size() - kLabelsHeader != big_endian(labels, 4)) {
    return fail(Code::kCorrupt,
                "{} labels announced, {} there",
                big_endian(labels, 4),
                labels.size() - kLabelsHeader);
  }
  std::vector<std::uint8_t> out = copy_tail(labels, kLabelsHeader);
  for (const std::uint8_t label : out) {
    if (label >= kClasses) {
      return fail(Code::kCorrupt, "label {} is not below {}", label, kClasses);
    }
  }
  return out;
}

Result<Dataset> load_dataset(const std::string& folder, Part part) {
  const std::string stem = folder + (part == Part::kTrain ? "/train-" : "/t10k-");
  const auto image_bytes = unpack(stem + "images-idx3-ubyte.gz");
  if (!image_bytes) {
    return Failure(image_bytes.error());
  }
  const auto label_bytes = unpack(stem + "labels-idx1-ubyte.gz");
  if (!label_bytes) {
    return Failure(label_bytes.error());
  }
  auto images = parse_images(*image_bytes);
  if (!images) {
    return fail(images.error().code, "{}images: {}", stem, images.error().message);
  }
  auto labels = parse_labels(*label_bytes);
  if (!labels) {
    return fail(labels.error().code, "{}labels: {}", stem, labels.error().message);
  }
  if (images->size() != labels->size() * kPixels || labels->empty()) {
    return fail(Code::kCorrupt,
                "{}: {} images and {} labels",
                stem,
                images->size() / kPixels,
                labels->size());
  }
  return Dataset{.pixels = std::move(*images), .labels = std::move(*labels)};
}

}  // namespace godwit::trainer
