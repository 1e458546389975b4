// godwit-distortion: bytes at equal error, our codecs beside published ones, one JSON line a
// figure.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/cli/tensor/tensor_file.h"
#include "bench/codec/distortion.h"
#include "bench/codec/rivals.h"

namespace godwit::bench_codec {
namespace {

// How many bytes an ideal coder takes at a given error, from a grid of steps: between two of them,
// if they are as near as here, both are nearly straight in logarithms.
class IdealCurve {
 public:
  explicit IdealCurve(std::span<const float> values) {
    double energy = 0;
    for (const float value : values) {
      energy += static_cast<double>(value) * value;
    }
    const double deviation = std::sqrt(energy / static_cast<double>(values.size()));
    constexpr int kCoarsest = 32;  // eighths of an octave above the deviation
    constexpr int kFinest = -42;
    for (int eighths = kCoarsest; eighths >= kFinest; --eighths) {
      const Lossy lossy = ideal(values, deviation * std::exp2(eighths / 8.0));
      points_.push_back({lossy.bytes, relative_error(values, lossy.values)});
    }
  }

  double bytes_at(double error) const {
    for (std::size_t i = 1; i < points_.size(); ++i) {
      const Point& a = points_[i - 1];
      const Point& b = points_[i];
      if (b.error <= error && a.error > b.error && a.bytes > 0) {
        const double part = std::log(a.error / error) / std::log(a.error / b.error);
        return a.bytes * std::pow(b.bytes / a.bytes, std::clamp(part, 0.0, 1.0));
      }
    }
    return points_.back().bytes;
  }

 private:
  std::vector<Point> points_;
};

// What `coder` makes of as many elements as fit into so many bits for each of all.
template <class Coder>
Lossy within(double bits, std::span<const float> values, Coder coder) {
  std::size_t low = 0;
  std::size_t high = values.size();
  while (high - low > 1 + low / 1000) {
    const std::size_t middle = low + (high - low) / 2;
    const bool fits = coder(values, middle).bytes * 8 <= bits * static_cast<double>(values.size());
    (fits ? low : high) = middle;
  }
  return coder(values, low);
}

// `error` is that of both.
void line(const std::string& set,
          std::string_view figure,
          double value,
          double reference,
          double at,
          double error) {
  fmt::print("{}\n",
             nlohmann::json{{"set", set},
                            {"figure", figure},
                            {"value", value},
                            {"reference_value", reference},
                            {"at", at},
                            {"error", error}}
                 .dump());
}

// `parameters`: what a gradient or change is of.
void compare(const std::string& set,
             std::span<const float> values,
             std::span<const float> parameters) {
  const Distortion ours(values);
  const auto count = static_cast<double>(values.size());
  // Ours beside one that has one size: at its error. `at` is bits of the rival per element.
  const auto beside = [&](std::string_view figure, const Lossy& rival) {
    const double error = relative_error(values, rival.values);
    line(set, figure, ours.bytes_at(error), rival.bytes, 8 * rival.bytes / count, error);
  };
  for (const double bits : {0.25, 0.5, 1.0}) {
    beside("topk8", within(bits, values, top_k_8bit));
  }
  beside("e3m0", e3m0(values));
  beside("int4", integers(values, 4));
  beside("int8", integers(values, 8));
  beside("sign", sign(values));
  for (const unsigned bits : {1U, 2U, 4U}) {
    beside("eden", eden(values, bits));
  }
  if (!set.ends_with("grad")) {  // which is no change yet: the rate of learning is not in it
    beside("filter1", filter(values, parameters, 0.01));
  }
  const IdealCurve curve(values);
  const auto& ends = ours.plane_ends();
  for (std::size_t i = 1; i < ends.size(); ++i) {
    // Where there is something to compare, and no more than anybody would send.
    if (ends[i].error > 0.9 || 8 * ends[i].bytes / count > 6) {
      continue;
    }
    const double there = ours.bytes_at(ends[i].error);
    line(set, "ideal_end", there, curve.bytes_at(ends[i].error), 8 * there / count, ends[i].error);
    for (const double part : {0.25, 0.5, 0.75}) {
      const double error = ends[i - 1].error * std::pow(ends[i].error / ends[i - 1].error, part);
      const double bytes = ours.bytes_at(error);
      line(set, "ideal_between", bytes, curve.bytes_at(error), 8 * bytes / count, error);
    }
  }
  for (const double bits : {0.003, 0.02, 0.05}) {
    const Lossy rival = within(bits, values, ternary);
    const double error = relative_error(values, rival.values);
    line(set,
         bits < 0.02 ? "stc_tiny" : "stc",
         ours.sparse_list_error(rival.bytes),
         error,
         bits,
         error);
  }
}

int main_of(int argc, char** argv) {
  CLI::App app(
      "Compares bytes at equal error of whole tensors: one JSON line for each figure, with\n"
      "the value of BPC (for \"stc\" the error of SL), its rival's, bits per element and the "
      "error.",
      "godwit-distortion");
  std::vector<std::string> files;
  app.add_option(
         "FILE",
         files,
         "NumPy files of float32, MODEL_SET.npy, beside MODEL_weights.npy, as godwit-updates "
         "writes them")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (const std::string& file : files) {
    const auto values = tensor::read_npy(file);
    if (!values) {
      fmt::print(stderr, "godwit-distortion: {}\n", values.error().message);
      return 3;
    }
    const std::filesystem::path path(file);
    const std::string set = path.stem();
    const auto parameters =
        tensor::read_npy(path.parent_path() / (set.substr(0, set.find('_')) + "_weights.npy"));
    if (!parameters || parameters->size() != values->size()) {
      fmt::print(stderr,
                 "godwit-distortion: {}: MODEL_weights.npy beside it has its parameters: {}\n",
                 file,
                 parameters ? "another number of them" : parameters.error().message);
      return 3;
    }
    compare(set, *values, *parameters);
  }
  return 0;
}

}  // namespace
}  // namespace godwit::bench_codec

int main(int argc, char** argv) {
  return godwit::bench_codec::main_of(argc, argv);
}
