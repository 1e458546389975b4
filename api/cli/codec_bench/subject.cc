#include "api/cli/codec_bench/subject.h"

namespace godwit::codec_bench {

std::string_view to_string(Subject subject) {
  switch (subject) {
    case Subject::kBpc:
      return "BPC";
    case Subject::kSparseList:
      return "SL";
    case Subject::kRow:
      return "ROW";
    case Subject::kQ4:
      return "Q4";
    case Subject::kQ8:
      return "Q8";
    case Subject::kRaw:
      return "RAW";
    case Subject::kXh:
      return "XH";
  }
  return "unknown";
}

std::string_view description_of(Subject subject) {
  switch (subject) {
    case Subject::kBpc:
      return "progressive bit planes";
    case Subject::kSparseList:
      return "the largest, as a list";
    case Subject::kRow:
      return "rows that changed";
    case Subject::kQ4:
      return "fixed rate, 4 bits";
    case Subject::kQ8:
      return "fixed rate, 8 bits";
    case Subject::kRaw:
      return "fixed point, whole";
    case Subject::kXh:
      return "the tensor itself, lossless";
  }
  return "";
}

}  // namespace godwit::codec_bench
