// godwit-speed: how fast codecs and kernels are on one core, beside memcpy from memory to memory.
#include <string>

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
  std::string file;
  app.add_option("WEIGHTS", file, "trained parameters, float32, as godwit-updates writes them")
      ->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto parameters = tensor::read_npy(file);
  if (!parameters) {
    fmt::print(stderr, "godwit-speed: {}\n", parameters.error().message);
    return 3;
  }
  race_tiles();
  race_sums();
  race_snapshots(*parameters);
  return 0;
}

}  // namespace
}  // namespace godwit::bench_codec

int main(int argc, char** argv) {
  return godwit::bench_codec::main_of(argc, argv);
}
