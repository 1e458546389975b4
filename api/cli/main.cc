#include <iostream>
#include <string>
#include <vector>

#include <unistd.h>

#include "api/cli/cli.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(godwit::cli::run(
      arguments,
      {.out = std::cout, .err = std::cerr, .err_is_terminal = isatty(STDERR_FILENO) != 0}));
}
