// What a comparison of codecs says to a person and to a script.
//
// Thread: pure functions. Memory: the text.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "api/cli/codec_bench/comparison.h"
#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"

namespace godwit::cli {

// What was compared, as one thing.
struct CodecReport {
  const std::string& file;
  const codec_bench::Sample& sample;
  const codec_bench::Quanta& quanta;
  const codec_bench::Options& options;
  const codec_bench::Comparison& comparison;
};

// "2,359,296 values of fp32"; of a part: "16,777,216 of 1,000,000,000 values of fp32".
std::string subject_of(const CodecReport& report);
// What matters most, in half a sentence.
std::string finding_of(const CodecReport& report);

// The finding, the conditions and the table.
std::string to_text(const CodecReport& report);
// One object of the tensor, then one of each row.
std::vector<nlohmann::ordered_json> to_json_lines(const CodecReport& report);

}  // namespace godwit::cli
