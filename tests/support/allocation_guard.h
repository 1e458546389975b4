// Counts what this thread takes from the heap: a test's proof that a data path allocates nothing.
//
//   AllocationGuard guard;
//   ring.push(record);
//   EXPECT_EQ(guard.allocations(), 0U);
//
// Link `test_support`; it replaces the global operator new of the test program. Memory that C code
// takes with malloc is not seen.
//
// Thread: counts only the thread that made it. Guards may nest.
#pragma once

#include <cstdint>

namespace godwit::testing_support {

class AllocationGuard {
 public:
  AllocationGuard();

  // Calls of operator new by this thread since the guard was made.
  std::uint64_t allocations() const;
  // Bytes that they asked for, given back since or not.
  std::uint64_t bytes() const;

 private:
  std::uint64_t at_start_;
  std::uint64_t bytes_at_start_;
};

}  // namespace godwit::testing_support
