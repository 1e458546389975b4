#include "api/cli/report_codec.h"

#include <fmt/format.h>

#include "api/cli/text.h"
#include "dataplane/base/plain.h"

namespace godwit::cli {
namespace {

using codec_bench::Row;

constexpr double kFloat32Bits = 32;

std::string percent(double share) {
  return fmt::format("{:.3g} %", 100 * share);
}

std::string gigabytes(double bytes_per_second) {
  return fmt::format("{:.2f}", bytes_per_second * 1e-9);
}

// "10.3 times less than fp32".
std::string beside_float32(double bits) {
  const double ratio = kFloat32Bits / bits;
  return ratio >= 1 ? fmt::format("{:.3g} times less than fp32", ratio)
                    : fmt::format("{:.3g} times more than fp32", 1 / ratio);
}

std::string setting_of(const Row& row, const codec_bench::Options& options) {
  if (row.is_target) {
    return fmt::format("error up to {}", percent(options.error));
  }
  return row.budget_bits ? fmt::format("up to {:.3g} bits", *row.budget_bits) : "";
}

}  // namespace

std::string subject_of(const CodecReport& report) {
  const codec_bench::Sample& sample = report.sample;
  return fmt::format("{}{} value{} of {}",
                     human_count(sample.count),
                     sample.is_whole() ? "" : " of " + human_count(sample.file_count),
                     sample.file_count == 1 ? "" : "s",
                     to_string(sample.type));
}

std::string finding_of(const CodecReport& report) {
  if (report.sample.count == 0) {
    return "there is nothing to code";
  }
  if (report.comparison.rows.empty()) {
    return "all are zero, and zeros are never sent";
  }
  const Row* target = report.comparison.target();
  if (target == nullptr) {
    const Row* other = report.comparison.shortest_within(report.options.error);
    return fmt::format(
        "BPC does not come within {} error; {}",
        percent(report.options.error),
        other == nullptr ? fmt::format("{} fraction bits are too few", report.quanta.fraction_bits)
                         : fmt::format("{} does with {:.3g} bits per value",
                                       to_string(other->subject),
                                       other->bits(report.sample.count)));
  }
  const double bits = target->bits(report.sample.count);
  return fmt::format("within {} error BPC needs {:.3g} bits per value, {}",
                     percent(report.options.error),
                     bits,
                     beside_float32(bits));
}

std::string to_text(const CodecReport& report) {
  const auto& [file, sample, quanta, options, comparison] = report;
  std::string out = fmt::format("{}; {}\n", subject_of(report), finding_of(report));
  if (sample.count == 0) {
    return out;
  }
  out += fmt::format("{}: fixed point with {} fraction bits{}",
                     plain(file),
                     quanta.fraction_bits,
                     quanta.why.empty() ? "" : " (" + quanta.why + ")");
  if (!sample.is_whole()) {
    out += fmt::format("; {} tiles of {} values, spread evenly over the file; --values takes more",
                       human_count(sample.tiles.size()),
                       human_count(codec::kTileElements));
  }
  out += '\n';
  if (comparison.rows.empty()) {
    return out;
  }
  Table table({"CODEC",
               "SETTING",
               "BITS/VALUE",
               "BYTES",
               "FP32 / THIS",
               "L2 ERROR",
               "ENERGY",
               "ENCODE GB/s",
               "DECODE GB/s"});
  for (const Row& row : comparison.rows) {
    const double bits = row.bits(sample.count);
    table.add({std::string(to_string(row.subject)),
               setting_of(row, options),
               fmt::format("{:.3g}", bits),
               human_count(row.bytes),
               fmt::format("{:.3g}", kFloat32Bits / bits),
               percent(row.error),
               fmt::format("{:.2f} %", 100 * row.energy_delivered()),
               row.speed ? gigabytes(row.speed->encode) : "-",
               row.speed ? gigabytes(row.speed->decode) : "-"});
  }
  out += table.text();
  out +=
      "L2 ERROR is what is lost, as |x - decoded| / |x|; ENERGY the share of |x|^2 that arrives.\n";
  if (comparison.copy_speed > 0) {
    out += fmt::format(
        "GB/s count 4 bytes a value and processor time, medians; memcpy made {} in the same run.\n",
        gigabytes(comparison.copy_speed));
  } else {
    out += fmt::format("Speeds are measured from {} values on.\n",
                       human_count(codec_bench::kTimedValues));
  }
  return out;
}

std::vector<nlohmann::ordered_json> to_json_lines(const CodecReport& report) {
  const auto& [file, sample, quanta, options, comparison] = report;
  const Row* target = comparison.target();
  using Line = nlohmann::ordered_json;
  std::vector<Line> lines{
      {{"file", file},
       {"type", to_string(sample.type)},
       {"values", sample.file_count},
       {"values_measured", sample.count},
       {"fraction_bits", quanta.fraction_bits},
       {"target_error", options.error},
       {"target_bits_per_value", target == nullptr ? Line() : Line(target->bits(sample.count))},
       {"memcpy_bytes_per_s", comparison.copy_speed > 0 ? Line(comparison.copy_speed) : Line()},
       {"finding", subject_of(report) + "; " + finding_of(report)}}};
  for (const Row& row : comparison.rows) {
    const double bits = row.bits(sample.count);
    lines.push_back({{"codec", to_string(row.subject)},
                     {"budget_bits_per_value", row.budget_bits ? Line(*row.budget_bits) : Line()},
                     {"is_target", row.is_target},
                     {"bits_per_value", bits},
                     {"bytes", row.bytes},
                     {"ratio_to_fp32", kFloat32Bits / bits},
                     {"relative_error", row.error},
                     {"energy_delivered", row.energy_delivered()},
                     {"encode_bytes_per_s", row.speed ? Line(row.speed->encode) : Line()},
                     {"decode_bytes_per_s", row.speed ? Line(row.speed->decode) : Line()}});
  }
  return lines;
}

}  // namespace godwit::cli
