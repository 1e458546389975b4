#include "tests/sim/memory_store.h"

#include <limits>

#include <sys/mman.h>

namespace godwit::sim {

Result<memory::Mapping*> MemoryStore::mapping(TopicShard id, std::uint64_t bytes) {
  auto& place = mappings_[id];
  if (!place) {
    auto made = memory::Mapping::anonymous(bytes);
    if (!made) {
      return Failure(made.error());
    }
    // One fault for hundreds of pages: half of the time of a run is the kernel's.
    ::madvise(made->bytes().data(), bytes, MADV_HUGEPAGE);
    place = std::make_unique<memory::Mapping>(std::move(*made));
  }
  if (place->size() != bytes) {
    return fail(
        Code::kInvalid, "the storage of the topic has {} bytes, not {}", place->size(), bytes);
  }
  return place.get();
}

Result<void> MemoryStore::describe(TopicShard id, const std::string& description) {
  descriptions_[id] = description;
  return {};
}

Result<std::vector<std::string>> MemoryStore::descriptions() {
  std::vector<std::string> all;
  for (const auto& [topic, description] : descriptions_) {
    all.push_back(description);
  }
  return all;
}

void MemoryStore::lose() {
  mappings_.clear();
  descriptions_.clear();
}

void MemoryStore::limit(std::uint64_t bytes_more) {
  for (auto& [topic, mapping] : mappings_) {
    mapping->set_storage_max(mapping->storage_bytes() + bytes_more);
  }
}

void MemoryStore::lift_limit() {
  for (auto& [topic, mapping] : mappings_) {
    mapping->set_storage_max(std::numeric_limits<std::uint64_t>::max());
  }
}

}  // namespace godwit::sim
