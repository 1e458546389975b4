#include "codec/xh/chunk.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "codec/xh/planes.h"
#include "tests/codec/targets.h"
#include "tests/codec/xh/tensors.h"

namespace godwit::codec::xh {
namespace {

using testing::Bytes;
using testing::bytes_of_all;
using testing::Tensor;
using testing::tensors;

Bytes encoded(ChunkEncoder& encoder, const Tensor& tensor) {
  const std::size_t count = tensor.values.size() / bytes_of(tensor.type);
  Bytes out(chunk_bytes_max(tensor.type, count));
  out.resize(encoder.encode(tensor.type, tensor.values, tensor.base, out));
  out.shrink_to_fit();  // one byte too far is an error under ASan
  return out;
}

class XhChunk : public testing::OnEveryTarget {
 protected:
  // Decodes between canaries; empty when it is refused.
  std::optional<Bytes> decoded(const Tensor& tensor, std::span<const std::byte> coded) {
    constexpr std::byte kCanary{0x5a};
    constexpr std::size_t kAround = 64;
    Bytes buffer(tensor.values.size() + 2 * kAround, kCanary);
    const auto out = std::span(buffer).subspan(kAround, tensor.values.size());
    const auto result = decoder_.decode(tensor.type, coded, tensor.base, out);
    for (std::size_t i = 0; i < kAround; ++i) {
      EXPECT_EQ(buffer[i], kCanary);
      EXPECT_EQ(buffer[buffer.size() - 1 - i], kCanary);
    }
    if (!result) {
      EXPECT_EQ(result.error().code, Code::kCorrupt) << result.error().message;
      return {};
    }
    return Bytes(out.begin(), out.end());
  }

  ChunkEncoder encoder_;
  ChunkDecoder decoder_;
};

INSTANTIATE_TEST_SUITE_P(Targets,
                         XhChunk,
                         ::testing::ValuesIn(testing::targets()),
                         testing::target_name);

TEST_P(XhChunk, ComesBackBitForBit) {
  for (const Tensor& tensor : tensors()) {
    EXPECT_EQ(decoded(tensor, encoded(encoder_, tensor)), tensor.values) << tensor.name;
  }
}

TEST_P(XhChunk, SpecialFloatsComeBackBitForBit) {
  using Limits = std::numeric_limits<float>;
  const std::vector<float> special = {0.0F,
                                      -0.0F,
                                      Limits::infinity(),
                                      -Limits::infinity(),
                                      Limits::quiet_NaN(),
                                      -Limits::quiet_NaN(),
                                      Limits::denorm_min(),
                                      -Limits::max(),
                                      Limits::min()};
  const Bytes base = bytes_of_all(std::vector<float>(special.rbegin(), special.rend()));
  for (const Bytes& beside : {Bytes(), base}) {
    const Tensor tensor{"special", Type::kFloat32, bytes_of_all(special), beside};
    EXPECT_EQ(decoded(tensor, encoded(encoder_, tensor)), tensor.values);
  }
}

TEST_P(XhChunk, IsTheSameOnEveryInstructionSet) {
  for (const Tensor& tensor : tensors()) {
    testing::choose(HWY_EMU128);
    const Bytes portable = encoded(encoder_, tensor);
    testing::choose(GetParam());
    EXPECT_EQ(encoded(encoder_, tensor), portable) << tensor.name;
  }
}

// Some of eight lines are of one byte, the others noise: what an estimate finds depends on where it
// looks.
TEST_P(XhChunk, PlanesOfUnlikeLinesComeBackAndTakeNoMoreRoom) {
  Random random(9);
  for (const std::uint64_t calm : {1U, 2U, 4U, 7U}) {
    Bytes values = testing::noise(kChunkElements, random);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i / 64 % 8 < calm) {
        values[i] = std::byte{7};
      }
    }
    const Tensor tensor{"calm", Type::kInt8, values, {}};
    const Bytes coded = encoded(encoder_, tensor);
    EXPECT_LE(coded.size(), chunk_bytes_max(Type::kInt8, values.size()));
    EXPECT_EQ(decoded(tensor, coded), values);
  }
}

// Against the specification's words of integers, an element at a time.
TEST_P(XhChunk, SplitsWordsIntoTheirBytes) {
  Random random(11);
  for (const Type type : {Type::kInt8, Type::kInt16, Type::kInt32, Type::kInt64}) {
    const std::size_t width = bytes_of(type);
    for (const std::size_t count : {1U, 7U, 64U, 333U}) {
      const Bytes values = testing::noise(count * width, random);
      std::vector<std::vector<std::uint8_t>> planes(width, std::vector<std::uint8_t>(count + 64));
      Planes at{};
      for (std::size_t p = 0; p < width; ++p) {
        at[p] = planes[p].data();
      }
      const std::size_t zeros = split(type, values.data(), nullptr, count, at);
      std::size_t expected_zeros = 0;
      for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t element = 0;
        std::memcpy(&element, values.data() + i * width, width);
        const bool is_negative = (element >> (8 * width - 1)) != 0;
        const std::uint64_t word = element << 1U ^ (is_negative ? ~std::uint64_t{0} : 0);
        expected_zeros += element == 0 ? 1 : 0;
        for (std::size_t p = 0; p < width; ++p) {
          ASSERT_EQ(planes[p][i], word >> 8 * p & 0xffU) << i << ", plane " << p;
        }
      }
      EXPECT_EQ(zeros, expected_zeros);
      Bytes joined(values.size());
      join(type, at, nullptr, count, joined.data());
      EXPECT_EQ(joined, values);
    }
  }
}

TEST_P(XhChunk, FindsTheRangeOfBytes) {
  Random random(10);
  for (std::size_t count = 1; count < 300; count += 1 + count / 8) {
    std::vector<std::uint8_t> bytes(count);
    for (auto& byte : bytes) {
      byte = static_cast<std::uint8_t>(20 + random.below(200));
    }
    const auto [least, greatest] = std::minmax_element(bytes.begin(), bytes.end());
    const ByteRange range = range_of(bytes.data(), count);
    EXPECT_EQ(range.least, *least);
    EXPECT_EQ(range.greatest, *greatest);
  }
}

TEST_P(XhChunk, RefusesACodeThatIsCutOrExtended) {
  for (const Tensor& tensor : tensors()) {
    if (tensor.values.size() > 140000) {
      continue;
    }
    Bytes coded = encoded(encoder_, tensor);
    const std::size_t step = 1 + coded.size() / 53;
    for (std::size_t size = 0; size < coded.size(); size += step) {
      EXPECT_FALSE(decoded(tensor, std::span(coded).first(size)))
          << tensor.name << ": " << size << " of " << coded.size();
    }
    coded.push_back(std::byte{0});
    EXPECT_FALSE(decoded(tensor, coded)) << tensor.name;
  }
}

TEST_P(XhChunk, SurvivesFlippedBitsAndNoise) {
  Random random(5);
  for (const Tensor& tensor : tensors()) {
    const Bytes coded = encoded(encoder_, tensor);
    for (int round = 0; round < 6; ++round) {
      Bytes wrong = coded;
      const std::size_t where =
          random.chance(0.5) ? std::min<std::size_t>(40, wrong.size()) : wrong.size();
      wrong[random.below(where)] ^= static_cast<std::byte>(1U << random.below(8));
      // The flag for a base is another refusal, below.
      wrong[0] = (wrong[0] & ~std::byte{kAgainstBase}) | (coded[0] & std::byte{kAgainstBase});
      static_cast<void>(decoded(tensor, wrong));
    }
    Bytes noise = testing::noise(random.below(3000), random);
    if (!noise.empty()) {
      noise[0] = (noise[0] & std::byte{kGathered}) | (coded[0] & std::byte{kAgainstBase});
      static_cast<void>(decoded(tensor, noise));
    }
    // The same decoder still works.
    EXPECT_EQ(decoded(tensor, coded), tensor.values);
  }
}

TEST(XhChunkRefusal, ABaseIsNeededExactlyWhenTheChunkHasOne) {
  ChunkEncoder encoder;
  ChunkDecoder decoder;
  const Bytes values = bytes_of_all(std::vector<float>{1, 2, 3});
  Bytes out(values.size());
  for (const Bytes& base : {Bytes(), Bytes(values.size())}) {
    const Bytes coded = encoded(encoder, {"", Type::kFloat32, values, base});
    const Bytes other = base.empty() ? Bytes(values.size()) : Bytes();
    const auto result = decoder.decode(Type::kFloat32, coded, other, out);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kInvalid);
  }
}

TEST(XhChunkSpec, TheWorkedExampleIsWhatIsWritten) {
  ChunkEncoder encoder;
  const Bytes coded =
      encoded(encoder, {"", Type::kFloat32, bytes_of_all(std::vector<float>{1, -1.5F, 2, 0}), {}});
  const std::vector<std::uint8_t> expected = {0x00,
                                              0x00,
                                              0x7f,
                                              0x7f,
                                              0x80,
                                              0x00,
                                              0x00,
                                              0x00,
                                              0x80,
                                              0x00,
                                              0x00,
                                              0x01,
                                              0x00,
                                              0x00,
                                              0x00,
                                              0x01,
                                              0x00,
                                              0x00};
  EXPECT_EQ(coded, bytes_of_all(expected));
}

TEST(XhChunkRefusal, NoBitBehindTheLastElementIsSet) {
  ChunkDecoder decoder;
  const auto refused = [&](const Bytes& coded, std::size_t elements) {
    Bytes out(elements);
    const auto result = decoder.decode(Type::kInt8, coded, {}, out);
    return !result && result.error().code == Code::kCorrupt;
  };
  using testing::bytes;
  // Gathered; the map raw, naming element 0 of eleven; a plane of one byte.
  EXPECT_FALSE(refused(bytes({0x02, 0x00, 0x01, 0x00, 0x00, 0x05}), 11));
  EXPECT_TRUE(refused(bytes({0x02, 0x00, 0x01, 0x08, 0x00, 0x05, 0x06}), 11));  // and a twelfth
  // Two symbols of one bit, in four streams of seven each.
  const auto coded = [](unsigned last) {
    return bytes({0x00, 0x02, 0x05, 0x06, 0x11, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 2, 2, 2, last});
  };
  EXPECT_FALSE(refused(coded(0x02), 28));
  EXPECT_TRUE(refused(coded(0x82), 28));
}

TEST(XhChunkRefusal, NamesThePlaneAndWhatIsWrongWithIt) {
  ChunkDecoder decoder;
  const auto fault = [&](const std::vector<unsigned>& code) {
    Bytes out(4);  // two elements of two bytes
    const auto result = decoder.decode(Type::kInt16, testing::bytes(code), {}, out);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(fault({0, 1, 7, 1, 9}), "");
  EXPECT_EQ(fault({0}), "xh: plane 1: is missing");
  EXPECT_EQ(fault({0, 1, 7}), "xh: plane 0: is missing");
  EXPECT_EQ(fault({0, 1, 7, 0, 9}), "xh: plane 0: 2 bytes are cut to 1");
  EXPECT_EQ(fault({0, 1, 7, 1}), "xh: plane 0: its one byte is missing");
  EXPECT_EQ(fault({0, 3, 7}), "xh: plane 1: mode 3 is not known");
  EXPECT_EQ(fault({0, 2, 6, 5}), "xh: plane 1: a code's first symbol is not below its last");
  EXPECT_EQ(fault({0, 2, 5, 6, 0x21}),
            "xh: plane 1: a code's lengths do not fill it: 1536 of 2048");
  EXPECT_EQ(fault({0, 2, 5, 6, 0x11, 1}), "xh: plane 1: the sizes of the streams are cut");
  EXPECT_EQ(fault({2, 4}), "xh: the map: mode 4 is not known");
  EXPECT_EQ(fault({2, 1, 0x07}), "xh: the map names elements behind the last");
  EXPECT_EQ(fault({0, 1, 7, 1, 9, 0}), "xh: 1 bytes behind the last plane");
}

// Order-0 entropy of the exponents, and all other bits as they are (ZipNN, arXiv 2411.05239).
double limit_in_bytes(const std::vector<float>& values, bool bfloat) {
  std::array<double, 256> counts{};
  for (const float value : values) {
    counts[std::bit_cast<std::uint32_t>(value) >> 23U & 0xffU] += 1;
  }
  const auto total = static_cast<double>(values.size());
  double bits = total * (bfloat ? 8 : 24);
  for (const double count : counts) {
    bits -= count > 0 ? count * std::log2(count / total) : 0;
  }
  return bits / 8;
}

TEST(XhChunkSize, IsWithinOnePercentOfTheExponentsEntropy) {
  Random random(6);
  const auto values = testing::weights(kChunkElements, 0.02, random);
  std::vector<std::uint16_t> halves(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    halves[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16U);
  }
  ChunkEncoder encoder;
  const Bytes single = encoded(encoder, {"", Type::kFloat32, bytes_of_all(values), {}});
  const Bytes half = encoded(encoder, {"", Type::kBfloat16, bytes_of_all(halves), {}});
  EXPECT_LT(static_cast<double>(single.size()), 1.01 * limit_in_bytes(values, false));
  EXPECT_LT(static_cast<double>(half.size()), 1.01 * limit_in_bytes(values, true));
}

TEST(XhChunkSize, WhatABaseHasCostsLittle) {
  Random random(7);
  const Bytes base = bytes_of_all(testing::weights(kChunkElements, 0.02, random));
  ChunkEncoder encoder;
  EXPECT_LT(encoded(encoder, {"", Type::kFloat32, base, base}).size(), 16U);
  const Bytes some = testing::touched(base, 4, 50, random);
  EXPECT_LT(encoded(encoder, {"", Type::kFloat32, some, base}).size(), base.size() / 15);
}

}  // namespace
}  // namespace godwit::codec::xh
