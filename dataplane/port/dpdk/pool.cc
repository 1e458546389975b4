#include "dataplane/port/dpdk/pool.h"

#include <cerrno>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>

namespace godwit::port {
namespace {

// Pieces of memory follow each other for a device wherever they do for us: DPDK is started with
// device addresses that are ours (--iova-mode=va). So a buffer may cross a page.
constexpr unsigned kFlags = RTE_MEMPOOL_F_NO_IOVA_CONTIG;

unsigned element_bytes(std::uint16_t room_bytes) {
  return static_cast<unsigned>(sizeof(rte_mbuf)) + room_bytes;
}

void give_back(rte_mempool_memhdr*, void* zone) {
  rte_memzone_free(static_cast<const rte_memzone*>(zone));
}

// Zero, or DPDK's error.
int fill(rte_mempool& pool, const PoolOptions& options) {
  if (const int status = rte_mempool_set_ops_byname(&pool, rte_mbuf_best_mempool_ops(), nullptr);
      status != 0) {
    return status;
  }
  rte_pktmbuf_pool_init(&pool, nullptr);  // all of an element but its header is room
  const rte_memzone* zone = rte_memzone_reserve((options.name + "-buffers").c_str(),
                                                pool_bytes(options.count, options.room_bytes),
                                                options.socket,
                                                RTE_MEMZONE_IOVA_CONTIG);
  if (zone == nullptr) {
    return -rte_errno;
  }
  const int added = rte_mempool_populate_iova(&pool,
                                              static_cast<char*>(zone->addr),
                                              zone->iova,
                                              zone->len,
                                              give_back,
                                              const_cast<rte_memzone*>(zone));
  if (added <= 0) {
    rte_memzone_free(zone);
    return added < 0 ? added : -ENOMEM;
  }
  if (static_cast<unsigned>(added) < options.count) {
    return -ENOMEM;
  }
  rte_mempool_obj_iter(&pool, rte_pktmbuf_init, nullptr);
  return 0;
}

}  // namespace

std::size_t pool_bytes(unsigned count, std::uint16_t room_bytes) {
  const std::size_t one = rte_mempool_calc_obj_size(element_bytes(room_bytes), kFlags, nullptr);
  return (count + std::size_t{1}) * one;  // one more for the alignment of the first
}

rte_mempool* make_pool(const PoolOptions& options) {
  rte_mempool* pool = rte_mempool_create_empty(options.name.c_str(),
                                               options.count,
                                               element_bytes(options.room_bytes),
                                               options.cached,
                                               sizeof(rte_pktmbuf_pool_private),
                                               options.socket,
                                               kFlags);
  if (pool == nullptr) {
    return nullptr;
  }
  if (const int status = fill(*pool, options); status != 0) {
    rte_mempool_free(pool);
    rte_errno = -status;
    return nullptr;
  }
  return pool;
}

}  // namespace godwit::port
