// Buffers for frames, side by side in memory.
//
// What DPDK makes by itself without huge pages has one buffer per page, at the same place in each:
// all headers then compete for a sixteenth of the cache's sets, and the same goes for every other
// line of a frame. Buffers that follow each other spread over all sets.
//
// Memory: `count` buffers, until rte_mempool_free. Thread: as DPDK's pools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct rte_mempool;

namespace godwit::port {

struct PoolOptions {
  std::string name;  // at most 20 characters, of no other pool
  unsigned count = 0;
  unsigned cached = 0;           // buffers that a thread keeps at hand
  std::uint16_t room_bytes = 0;  // of each buffer, with DPDK's headroom
  int socket = -1;               // NUMA node; -1: any
};

// What `count` buffers of that room take with DPDK's own headers; bytes.
std::size_t pool_bytes(unsigned count, std::uint16_t room_bytes);

// Null when there is no memory; rte_errno says more.
rte_mempool* make_pool(const PoolOptions& options);

}  // namespace godwit::port
