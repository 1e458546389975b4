#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/cli/codec_bench/comparison.h"
#include "api/cli/codec_bench/picture.h"
#include "api/cli/codec_bench/quanta.h"
#include "api/cli/codec_bench/sample.h"
#include "api/cli/commands.h"
#include "api/cli/progress.h"
#include "api/cli/report_codec.h"
#include "api/cli/tensor/tensor_file.h"
#include "api/cli/usage/usage.h"
#include "dataplane/base/plain.h"

namespace godwit::cli {
namespace {

// 64 MiB of fp32: some seconds for a set of codecs, and 0.3 GiB of memory.
constexpr std::uint64_t kValuesDefault = std::uint64_t{1} << 24U;
constexpr std::uint64_t kValuesMax = std::uint64_t{1} << 27U;

constexpr const char* kCodecFooter = R"(
FILE is a NumPy file (fp16, fp32, fp64, integers; C order; any shape, which is not looked at) or a
raw one, elements alone, little endian. A picture is written only where --svg says.

  godwit bench codec update.npy                       a table; the first line says what matters
  godwit bench codec update.npy --svg update.svg      and a picture of error against bits
  godwit bench codec layer.bin --dtype bf16           a raw file; also --offset, --count
  godwit bench codec update.npy --json | jq -c 'select(.is_target)'

Measure what you would publish: the change of a layer over a step or a round, not its weights.
BPC  progressive bit planes, cut at any byte: what links normally carry
SL   positions and rough sizes of the largest values, for budgets of a tenth of a bit
ROW  bit planes of the rows that are not zero, as in changes of embeddings; no line where all are
Q4   Q8  fixed rate, for links that are faster than BPC
RAW  the fixed-point integers themselves
XH   the elements as they are in the file, without loss: snapshots (not for fp64)

exit: 0 measured, 2 the command line or FILE is wrong, 1 the picture could not be written)";

struct CodecFlags {
  std::string file;
  std::string type;
  std::string svg;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> count;
  std::optional<int> fraction_bits;
  double error_percent = 1;
  std::uint64_t values = kValuesDefault;
  std::size_t repetitions = 5;
};

Failure in_file(const std::string& file, const Error& error) {
  return fail(error.code, "{}: {}", plain(file), error.message);
}

Result<codec_bench::Sample> sample_of(const CodecFlags& flags) {
  const tensor::Described described{
      .type = tensor::element_type_of(flags.type), .offset = flags.offset, .count = flags.count};
  auto file = tensor::TensorFile::open(flags.file, described);
  if (!file) {
    return Failure(file.error());
  }
  return codec_bench::read_sample(*file, flags.values);
}

Result<void> write_picture(const std::string& path, const CodecReport& report) {
  std::ofstream file(path);
  file << codec_bench::picture(
      report.comparison,
      {.title = fmt::format(
           "{}: {}", std::filesystem::path(report.file).filename().string(), subject_of(report)),
       .subtitle = finding_of(report),
       .values = report.sample.count,
       .error = report.options.error});
  file.close();
  return file ? Result<void>() : system_failure(plain(path), "the picture cannot be written");
}

ExitCode bench_codec(const Session& session, const CodecFlags& flags) {
  const auto sample = sample_of(flags);
  if (!sample) {
    return session.fail_with(ExitCode::kUsage, sample.error());
  }
  const auto quanta = codec_bench::quanta_of(*sample, flags.fraction_bits);
  if (!quanta) {
    return session.fail_with(ExitCode::kUsage, in_file(flags.file, quanta.error()).value());
  }
  const codec_bench::Options options{.error = flags.error_percent / 100,
                                     .repetitions = flags.repetitions};
  codec_bench::Comparison comparison;
  {
    Progress progress(session.err(), session.shows_progress());
    comparison = codec_bench::compare(
        *sample, *quanta, options, [&](std::string_view what, std::size_t step, std::size_t all) {
          progress.say(what, step, all);
        });
  }
  const CodecReport report{flags.file, *sample, *quanta, options, comparison};
  if (session.options().json) {
    for (const auto& line : to_json_lines(report)) {
      session.print_json(line);
    }
  } else {
    session.out() << to_text(report);
  }
  if (!flags.svg.empty()) {
    if (auto written = write_picture(flags.svg, report); !written) {
      return session.fail_with(ExitCode::kNoAnswer, written.error());
    }
  }
  return ExitCode::kOk;
}

// A picture replaces what is there, so it must not be able to replace a tensor.
CLI::Validator named_svg() {
  return {[](const std::string& text) {
            return text.size() > 4 && text.ends_with(".svg")
                       ? std::string()
                       : fmt::format("\"{}\" does not end in .svg", text);
          },
          "NAME.svg"};
}

CLI::Validator element_type_name() {
  return {[](const std::string& text) {
            return tensor::element_type_of(text)
                       ? std::string()
                       : fmt::format("\"{}\" is none of {}", text, tensor::element_type_names());
          },
          "TYPE"};
}

}  // namespace

void add_bench(CLI::App& app, Dispatch& dispatch) {
  auto* bench = app.add_subcommand("bench", "Measure on this host, without a gateway");
  bench->require_subcommand(1);
  auto* codec = bench->add_subcommand(
      "codec", "Every codec on a tensor of yours: rate, error, speed, a picture");
  const auto flags = std::make_shared<CodecFlags>();
  codec->add_option("file", flags->file, "The tensor")->required()->check(not_empty());
  codec
      ->add_option("--dtype", flags->type, "What a raw file holds: " + tensor::element_type_names())
      ->check(element_type_name());
  codec->add_option("--offset", flags->offset, "Bytes of a raw file to skip");
  codec->add_option(
      "--count", flags->count, "Elements of a raw file to take; else all that follow");
  codec->add_option("--svg", flags->svg, "Write a picture; replaced if it is there")
      ->check(named_svg());
  codec->add_option("--error", flags->error_percent, "Percent of relative L2 error to look for")
      ->check(number_between(0.0001, 99))
      ->capture_default_str();
  codec
      ->add_option("--fraction-bits",
                   flags->fraction_bits,
                   "Of fixed point, as the topic declares them; else 40 where they fit")
      ->check(CLI::Range(0, codec_bench::kFractionBitsMax));
  codec->add_option("--values", flags->values, "Of a larger tensor, tiles spread over it are taken")
      ->check(CLI::Range(std::uint64_t{codec::kTileElements}, kValuesMax))
      ->capture_default_str();
  codec->add_option("--repetitions", flags->repetitions, "Of which speeds are the median")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}))
      ->capture_default_str();
  codec->footer(kCodecFooter);
  codec->callback([&dispatch, flags] { dispatch.result = bench_codec(dispatch.session, *flags); });
}

}  // namespace godwit::cli
