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

}  // namespace godwit::trainer
