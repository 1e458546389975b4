// Fronts of NumPy files: what NumPy writes is understood, everything else is refused with a reason.
#include "api/cli/tensor/npy.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/base/bytes.h"
#include "tests/api/cli/tensor/npy_text.h"

namespace godwit::tensor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<NpyFront> parse(const std::string& text) {
  return parse_npy(as_bytes(text));
}

std::string with_shape(const std::string& shape) {
  return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}\n";
}

TEST(Npy, AFrontAsNumPyWritesIt) {
  // numpy.save of numpy.zeros((2, 3, 5), "f8"), padded to 128 bytes.
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 5), }";
  header.resize(117, ' ');
  const auto front = parse(npy_front(header + "\n"));
  ASSERT_TRUE(front) << front.error().message;
  EXPECT_EQ(front->descr, "<f8");
  EXPECT_THAT(front->shape, ElementsAre(2, 3, 5));
  EXPECT_EQ(front->elements, 30U);
  EXPECT_EQ(front->bytes, 128U);
}

TEST(Npy, EveryVersionAndSpelling) {
  for (const char major : {'\x01', '\x02', '\x03'}) {
    const auto front = parse(npy_front(kFloats3, major));
    ASSERT_TRUE(front) << front.error().message;
    EXPECT_EQ(front->elements, 3U);
    EXPECT_EQ(front->bytes, npy_front(kFloats3, major).size());
  }
  const auto other = parse(npy_front("{\"shape\":(4,5),'descr':'|u1' , 'fortran_order':False}\n"));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->elements, 20U);
  EXPECT_EQ(other->descr, "|u1");
}

TEST(Npy, ShapesAreMultiplied) {
  EXPECT_EQ(parse(npy_front(with_shape("()")))->elements, 1U);
  EXPECT_EQ(parse(npy_front(with_shape("(0,)")))->elements, 0U);
  EXPECT_EQ(parse(npy_front(with_shape("(7, 0, 3)")))->elements, 0U);
  EXPECT_EQ(parse(npy_front(with_shape("(4294967295, 4294967297)")))->elements, ~std::uint64_t{0});
  // One more overflows, unless a zero follows.
  EXPECT_THAT(parse(npy_front(with_shape("(4294967296, 4294967296)"))).error().message,
              HasSubstr("more than 2^64"));
  EXPECT_EQ(parse(npy_front(with_shape("(4294967296, 4294967296, 0)")))->elements, 0U);
}

TEST(Npy, WhatIsCutAtAnyByteIsCorrupt) {
  const std::string whole = npy_front(kFloats3);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto front = parse(whole.substr(0, size));
    ASSERT_FALSE(front) << size;
    EXPECT_EQ(front.error().code, Code::kCorrupt) << size;
  }
  EXPECT_TRUE(parse(whole));
}

TEST(Npy, WrongHeadersAreRefusedAndTheByteIsNamed) {
  struct Wrong {
    std::string header;
    std::string reason;
  };
  for (const auto& [header, reason] : std::vector<Wrong>{
           {"", "the line feed"},
           {"\n", "byte 10: a '{' is missing"},
           {"{}\n", "the header lacks one of 'descr', 'fortran_order', 'shape'"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)\n", "byte 64: a ',' or '}'"},
           {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x\n", "the end of the header"},
           {"{'descr': '<f4', 'fortran_order': False}\n", "lacks one of"},
           {"{'descr': '<f4', 'descr': '<f4'}\n", "'descr' is unknown or there twice"},
           {"{'shape': (3,), 'shape': (4,)}\n", "'shape' is unknown or there twice"},
           {"{'order': 1}\n", "the key 'order' is unknown"},
           {"{'descr': <f4}\n", "byte 20: a text in quotes"},
           {"{'descr': '<f4}\n", "the closing quote"},
           {"{'fortran_order': 0}\n", "True or False"},
           {with_shape("3"), "a '('"},
           {with_shape("(3)"), "a ','"},
           {with_shape("(3 4)"), "a ','"},
           {with_shape("(-3,)"), "a length below 2^64"},
           {with_shape("(18446744073709551616,)"), "a length below 2^64"},
           {with_shape("(3.5,)"), "a ','"},
           {with_shape("(3,"), "a length"}}) {
    const auto front = parse(npy_front(header));
    ASSERT_FALSE(front) << header;
    EXPECT_EQ(front.error().code, Code::kCorrupt) << header;
    EXPECT_THAT(front.error().message, HasSubstr(reason)) << header;
  }
  std::string many = "(";
  for (std::size_t i = 0; i <= kNpyDimensionsMax; ++i) {
    many += "1,";
  }
  EXPECT_THAT(parse(npy_front(with_shape(many + ")"))).error().message,
              HasSubstr("more than 64 dimensions"));
}

TEST(Npy, WhatIsKnownAndNotOfferedSaysWhatToSave) {
  const auto fortran =
      parse(npy_front("{'descr': '<f4', 'fortran_order': True, 'shape': (2,2)}\n"));
  EXPECT_EQ(fortran.error().code, Code::kUnsupported);
  EXPECT_THAT(fortran.error().message, HasSubstr("numpy.ascontiguousarray"));
  const auto records = parse(npy_front("{'descr': [('a', '<f4')], 'fortran_order': False}\n"));
  EXPECT_EQ(records.error().code, Code::kUnsupported);
  std::string later = npy_front(kFloats3);
  later[6] = '\x04';
  EXPECT_EQ(parse(later + "  ").error().code, Code::kUnsupported);
  EXPECT_THAT(parse(npy_front(std::string(70'000, ' ') + "\n", '\x02')).error().message,
              HasSubstr("a header of 70001 bytes"));
}

TEST(Npy, ControlCharactersOfAFileDoNotReachTheTerminal) {
  const auto front = parse(npy_front("{'\x1b[2J': 1}\n"));
  EXPECT_THAT(front.error().message, HasSubstr("'?[2J'"));
}

}  // namespace
}  // namespace godwit::tensor
