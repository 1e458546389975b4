// Small files between the processes of a run: written and read whole.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::trainer {

// The file appears under its name with all of its bytes, `head` and then `body`, or not at all: it
// is written aside and renamed. A failure (kIo) names the path and the reason.
Result<void> write_file(const std::string& path,
                        std::span<const std::byte> head,
                        std::span<const std::byte> body);

// kNotFound when it cannot be opened, kIo when it cannot be read, kCorrupt when it has more than
// `bytes_max` bytes.
Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t bytes_max);

// What `parse` makes of the file's bytes; its errors, too, begin with the path.
template <class Parse>
auto parse_file(const std::string& path, std::size_t bytes_max, Parse parse)
    -> decltype(parse(std::span<const std::byte>())) {
  const auto file = read_file(path, bytes_max);
  if (!file) {
    return Failure(file.error());
  }
  auto parsed = parse(std::span<const std::byte>(*file));
  if (!parsed) {
    return fail(parsed.error().code, "{}: {}", path, parsed.error().message);
  }
  return parsed;
}

}  // namespace godwit::trainer
