// godwit-speed: how fast codecs and kernels are on one core, beside memcpy from memory to memory.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "api/cli/tensor/tensor_file.h"
#include "bench/codec/speed.h"

namespace godwit::bench_codec {

namespace {

int main_of(int argc, char** argv) {
  CLI::App app(
      "Races codecs and kernels with memcpy on one core, data in memory, and prints a JSON line\n"
      "for each round: GB/s of what a float32 of each element would take (of snapshots: of their\n"
      "own bytes).",
      "godwit-speed");
  std::array<std::string, 3> files;
  constexpr auto kUsage = "float32, as godwit-updates writes them";
  app.add_option("WEIGHTS", files[0], fmt::format("trained parameters, {}", kUsage))->required();
  app.add_option("DENSE", files[1], "what many steps changed, the same")->required();
  app.add_option("HEAVY", files[2], "a gradient, the same")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::array<std::vector<float>, 3> tensors;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto tensor = tensor::read_npy(files[i]);
    if (!tensor) {
      fmt::print(stderr, "godwit-speed: {}\n", tensor.error().message);
      return 3;
    }
    tensors[i] = std::move(*tensor);
  }
  const auto& [weights, dense, heavy] = tensors;
  race_tiles(dense, heavy);
  race_sums();
  race_snapshots(weights);
  return 0;
}

}  // namespace
}  // namespace godwit::bench_codec

int main(int argc, char** argv) {
  return godwit::bench_codec::main_of(argc, argv);
}
