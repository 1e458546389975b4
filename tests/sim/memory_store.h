// A gateway's storage in memory: it outlives the gateway, can be full, and can be lost.
//
// Thread: one. Memory: address space of the topics; pages only where they are touched.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/gateway/store.h"

namespace godwit::sim {

class MemoryStore final : public gateway::Store {
 public:
  Result<memory::Mapping*> mapping(TopicShard id, std::uint64_t bytes) override;
  Result<void> describe(TopicShard id, const std::string& description) override;
  Result<std::vector<std::string>> descriptions() override;
  std::optional<std::uint64_t> free_bytes() const override { return left; }

  std::optional<std::uint64_t> left = {};  // what it says of itself

  // The machine is gone, and its tmpfs with it. No gateway may be open.
  void lose();
  // Every topic's storage holds `bytes` more than it does now; never() lifts the limit.
  void limit(std::uint64_t bytes_more);
  void lift_limit();
  bool empty() const { return descriptions_.empty(); }

 private:
  std::map<TopicShard, std::unique_ptr<memory::Mapping>> mappings_;
  std::map<TopicShard, std::string> descriptions_;
};

}  // namespace godwit::sim
