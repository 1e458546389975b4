#include <iostream>
#include <string>
#include <vector>

#include "api/cli/cli.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(godwit::cli::run(arguments, {.out = std::cout, .err = std::cerr}));
}
