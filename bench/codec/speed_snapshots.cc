#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/codec/archivers.h"
#include "bench/codec/speed.h"
#include "codec/xh/chunk.h"
#include "codec/xh/snapshot.h"
#include "dataplane/base/assert.h"

namespace godwit::bench_codec {
namespace {

using codec::xh::Type;

// Round to nearest, ties to even; the parameters are finite.
std::vector<std::uint16_t> to_bfloat16(std::span<const float> values) {
  std::vector<std::uint16_t> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    result[i] = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16U & 1U)) >> 16U);
  }
  return result;
}

// Bits an element that a Huffman code of whole bytes cannot beat: exponents' order-0 entropy, and
// sign and mantissa as they are.
double entropy_bits(std::span<const std::uint32_t> exponents, double rest) {
  std::vector<double> counts(256, 0);
  for (const std::uint32_t exponent : exponents) {
    counts[exponent] += 1;
  }
  double bits = 0;
  for (const double count : counts) {
    if (count > 0) {
      bits -= count * std::log2(count / static_cast<double>(exponents.size()));
    }
  }
  return bits / static_cast<double>(exponents.size()) + rest;
}

// As many copies of the tensor as a pool holds; each piece of it is read where no cache has it.
std::vector<std::byte> pool_of(std::span<const std::byte> tensor, std::size_t bytes) {
  std::vector<std::byte> pool(bytes);
  for (std::size_t at = 0; at < bytes; at += tensor.size()) {
    std::memcpy(pool.data() + at, tensor.data(), std::min(tensor.size(), bytes - at));
  }
  return pool;
}

void size_line(const std::string& figure, double bytes, double bound) {
  fmt::print(
      "{}\n",
      nlohmann::json{{"figure", figure}, {"value", bytes}, {"reference_value", bound}}.dump());
}

// XH of one type, beside memcpy and beside what others would use.
template <std::size_t kWidth>
void race_type(const std::string& name, Type type, std::span<const std::byte> tensor) {
  constexpr std::size_t kChunkBytes = codec::xh::kChunkElements * kWidth;
  const auto pool = pool_of(tensor, kPieces * kChunkBytes);
  const auto piece = [&](std::size_t index) {
    return std::span(pool).subspan(index * kChunkBytes, kChunkBytes);
  };
  codec::xh::ChunkEncoder encoder;
  std::vector<std::byte> coded(codec::xh::chunk_bytes_max(type, codec::xh::kChunkElements));
  std::size_t bytes = 0;
  const Work ours{kChunkBytes,
                  [&](std::size_t index) { bytes = encoder.encode(type, piece(index), {}, coded); },
                  [&](std::size_t index) { touch_pages(piece(index)); }};
  race(fmt::format("xh_encode_{}", name), ours, copying(kChunkBytes));
  const std::string suffix = kWidth == sizeof(float) ? "" : "_" + name;
  for (const Archiver& archiver : archivers(kWidth)) {
    std::size_t theirs = 0;
    const Work rival{kChunkBytes,
                     [&](std::size_t index) { theirs = archiver.bytes_of(piece(index), kWidth); },
                     [&](std::size_t index) { touch_pages(piece(index)); }};
    race(fmt::format("xh_vs_{}{}", archiver.name, suffix), ours, rival);
    ours.run(1);
    rival.run(1);
    size_line(fmt::format("xh_bytes_vs_{}{}", archiver.name, suffix),
              static_cast<double>(bytes),
              static_cast<double>(theirs));
  }
}

}  // namespace

void race_snapshots(std::span<const float> parameters) {
  const auto halves = to_bfloat16(parameters);
  std::vector<std::uint32_t> exponents(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    exponents[i] = std::bit_cast<std::uint32_t>(parameters[i]) >> 23U & 0xffU;
  }
  const auto count = static_cast<double>(parameters.size());
  const auto wide = std::as_bytes(parameters);
  const auto narrow = std::as_bytes(std::span(halves));
  size_line("xh_size_vs_entropy_fp32",
            static_cast<double>(codec::xh::write_snapshot(Type::kFloat32, wide, {}).size()),
            count * entropy_bits(exponents, 24) / 8);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    exponents[i] = halves[i] >> 7U & 0xffU;
  }
  size_line("xh_size_vs_entropy_bf16",
            static_cast<double>(codec::xh::write_snapshot(Type::kBfloat16, narrow, {}).size()),
            count * entropy_bits(exponents, 8) / 8);
  race_type<4>("fp32", Type::kFloat32, wide);
  race_type<2>("bf16", Type::kBfloat16, narrow);
}

}  // namespace godwit::bench_codec
