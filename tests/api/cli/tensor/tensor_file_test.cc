// Files as people have them: what they hold is checked against their size before anything is read.
#include "api/cli/tensor/tensor_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/cli/tensor/npy.h"
#include "tests/api/cli/tensor/npy_text.h"
#include "tests/support/temporary_folder.h"

namespace godwit::tensor {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Files : public testing::Test {
 protected:
  std::string file(const std::string& content) const {
    const std::string path = folder_ / "tensor";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  // Why it is refused; "" if it is not.
  std::string refusal(const std::string& content, const Described& described = {}) const {
    const auto opened = TensorFile::open(file(content), described);
    if (opened) {
      return "";
    }
    EXPECT_THAT(opened.error().message, StartsWith((folder_ / "tensor").string() + ": "));
    return opened.error().message;
  }
  static std::string npy(const std::string& descr, const std::string& shape, std::size_t bytes) {
    return npy_front("{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape +
                     "}\n") +
           std::string(bytes, '\1');
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(Files, WhatIsWrittenComesBack) {
  const std::vector<float> values{1, -2, 0.5F};
  const std::string path = folder_ / "a.npy";
  ASSERT_TRUE(write_npy(path, values));
  EXPECT_EQ(std::filesystem::file_size(path) % 4, 0U);
  EXPECT_EQ(read_npy(path).value(), values);
  std::ofstream(path, std::ios::app | std::ios::binary) << "x";
  EXPECT_EQ(read_npy(path).error().code, Code::kCorrupt);
  EXPECT_EQ(read_npy(file(npy("<f8", "(1,)", 8))).error().code, Code::kInvalid);
  EXPECT_EQ(read_npy(folder_ / "none.npy").error().code, Code::kNotFound);
  EXPECT_EQ(write_npy((folder_ / "no") / "where.npy", values).error().code, Code::kIo);
}

TEST_F(Files, PartsAreReadWhereTheyStand) {
  const std::vector<float> values{1, 2, 3, 4, 5};
  const std::string path = folder_ / "a.npy";
  ASSERT_TRUE(write_npy(path, values));
  auto opened = TensorFile::open(path, {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->count(), 5U);
  EXPECT_EQ(opened->type(), ElementType::kFloat32);
  std::vector<float> part(2);
  ASSERT_TRUE(opened->read(3, std::as_writable_bytes(std::span(part))));
  EXPECT_EQ(part, (std::vector<float>{4, 5}));
  ASSERT_TRUE(opened->read(0, std::as_writable_bytes(std::span(part))));
  EXPECT_EQ(part, (std::vector<float>{1, 2}));
  std::filesystem::resize_file(path, opened->position_of(4));
  auto shorter = TensorFile::open(path, {});
  EXPECT_EQ(shorter.error().code, Code::kCorrupt);
}

TEST_F(Files, AFileThatShrinksWhileItIsReadIsAnError) {
  std::ofstream(folder_ / "raw") << std::string(100'000, 'x');
  auto opened = TensorFile::open(folder_ / "raw", {.type = ElementType::kInt8});
  ASSERT_TRUE(opened);
  std::filesystem::resize_file(folder_ / "raw", 10);
  std::vector<std::byte> all(100'000);
  EXPECT_EQ(opened->read(0, all).error().code, Code::kIo);
}

TEST_F(Files, TheSizeOfANumPyFileIsThatOfItsShape) {
  EXPECT_EQ(refusal(npy("<f4", "(2, 3)", 24)), "");
  EXPECT_THAT(refusal(npy("<f4", "(2, 3)", 23)), HasSubstr("cut short"));
  EXPECT_THAT(refusal(npy("<f4", "(2, 3)", 20)), HasSubstr("6 elements of 4 bytes"));
  EXPECT_THAT(refusal(npy("<f4", "(2, 3)", 25)), HasSubstr("too long"));
  EXPECT_THAT(refusal(npy("<f4", "(2, 3)", 28)), HasSubstr("28 bytes follow"));
  EXPECT_THAT(refusal(npy("<f8", "(4611686018427387904, 2)", 8)), HasSubstr("cut short"));
  EXPECT_EQ(refusal(npy("<f4", "(0,)", 0)), "");
}

TEST_F(Files, TypesOfNumPy) {
  for (const ElementType type : kElementTypes) {
    if (type == ElementType::kBfloat16) {
      continue;  // NumPy has none
    }
    const char kind = is_float(type) ? 'f' : to_string(type)[0];
    const std::string width = std::to_string(bytes_of(type));
    const std::string descr = (width == "1" ? "|" : "<") + (kind + width);
    auto opened = TensorFile::open(file(npy(descr, "(1,)", bytes_of(type))), {});
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->type(), type);
  }
  EXPECT_THAT(refusal(npy(">f4", "(1,)", 4)), HasSubstr("save x.astype('<f4')"));
  EXPECT_THAT(refusal(npy("<c8", "(1,)", 8)), HasSubstr("'<c8' are not known here"));
  EXPECT_THAT(refusal(npy("|O", "(1,)", 8)), HasSubstr("none of NumPy's"));
  EXPECT_THAT(refusal(npy("=f4", "(1,)", 4)), HasSubstr("'=f4' are not known"));
  EXPECT_THAT(refusal(npy("", "(1,)", 4)), HasSubstr("none of NumPy's"));
}

TEST_F(Files, Bfloat16InNumPysClothes) {
  const Described bf16{.type = ElementType::kBfloat16};
  EXPECT_EQ(refusal(npy("|V2", "(2,)", 4), bf16), "");
  EXPECT_EQ(refusal(npy("<u2", "(2,)", 4), bf16), "");
  EXPECT_THAT(refusal(npy("|V2", "(2,)", 4)), HasSubstr("--dtype bf16"));
  EXPECT_THAT(refusal(npy("<f4", "(1,)", 4), bf16), HasSubstr("'<f4', which is not bf16"));
  EXPECT_THAT(refusal(npy("|V4", "(1,)", 4), bf16), HasSubstr("is not bf16"));
  EXPECT_EQ(refusal(npy("<f4", "(1,)", 4), {.type = ElementType::kFloat32}), "");
}

TEST_F(Files, ARawFileIsWhatIsSaidOfIt) {
  const std::string ten(10, 'x');
  EXPECT_THAT(refusal(ten), HasSubstr("--dtype fp32 or one of"));
  EXPECT_EQ(refusal(ten, {.type = ElementType::kInt16}), "");
  EXPECT_THAT(refusal(ten, {.type = ElementType::kFloat32}), HasSubstr("no whole number of fp32"));
  EXPECT_EQ(refusal(ten, {.type = ElementType::kFloat32, .offset = 2}), "");
  EXPECT_EQ(refusal(ten, {.type = ElementType::kFloat32, .offset = 10}), "");
  EXPECT_THAT(refusal(ten, {.type = ElementType::kFloat32, .offset = 11}),
              HasSubstr("--offset 11 is behind its 10 bytes"));
  EXPECT_EQ(refusal(ten, {.type = ElementType::kFloat32, .offset = 1, .count = 2}), "");
  EXPECT_THAT(refusal(ten, {.type = ElementType::kFloat32, .offset = 1, .count = 3}),
              HasSubstr("--count 3 is more than the 2 elements"));
  EXPECT_THAT(refusal(ten, {.type = ElementType::kFloat64, .count = ~std::uint64_t{0}}),
              HasSubstr("is more than the 1 elements"));
  EXPECT_EQ(refusal("", {.type = ElementType::kFloat64}), "");
  EXPECT_THAT(refusal(npy("<f4", "(1,)", 4), {.offset = 1}), HasSubstr("are for raw ones"));
}

TEST_F(Files, WhatIsNoFileIsNamed) {
  const auto folder = TensorFile::open(folder_.path(), {});
  EXPECT_THAT(folder.error().message, HasSubstr("is no file with a size"));
  const auto device = TensorFile::open("/dev/null", {.type = ElementType::kFloat32});
  EXPECT_THAT(device.error().message, HasSubstr("is no file with a size"));
  const auto none = TensorFile::open(folder_ / "none", {});
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_THAT(none.error().message, StartsWith((folder_ / "none").string() + ": "));
}

}  // namespace
}  // namespace godwit::tensor
