// How often a thread asks malloc and its kin for memory.
//
// This program's malloc, calloc, realloc and aligned forms count their calls and go on to those of
// the C library; operator new comes by malloc. So the count is of everybody: our code and every
// library.
#pragma once

#include <cstdint>

namespace godwit::bench {

// Calls of the calling thread since it began.
std::uint64_t malloc_calls();

}  // namespace godwit::bench
