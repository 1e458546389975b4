// Where a gateway keeps its topics: one sparse mapping of sums and one description for each shard.
//
// The file store is the product's; the simulator brings one in memory that outlives its gateways.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/topic_shard.h"
#include "dataplane/memory/mapping.h"

namespace godwit::gateway {

class Store {
 public:
  virtual ~Store() = default;

  // The mapping of a shard's sums, of exactly `bytes`; made when there is none. It stays the
  // store's and lives as long as the store, or until the shard's is asked for in another size:
  // nobody may hold it then.
  virtual Result<memory::Mapping*> mapping(TopicShard id, std::uint64_t bytes) = 0;
  // Replaces a shard's description as a whole.
  virtual Result<void> describe(TopicShard id, const std::string& description) = 0;
  // Every description there is. kCorrupt: one is damaged; the message names its file.
  virtual Result<std::vector<std::string>> descriptions() = 0;
  // What is left for more, if that is known.
  virtual std::optional<std::uint64_t> free_bytes() const { return std::nullopt; }
  // With less room the next topic or lane waits. Chosen: the sums of a few tiles.
  static constexpr std::uint64_t kLowBytes = std::uint64_t{1} << 20U;
  bool is_low() const { return free_bytes().value_or(kLowBytes) < kLowBytes; }
};

// Files `<shard>.sums` and `<shard>.topic` in a directory: the topic's id in hexadecimal, and of
// shards after the first "-" and the shard in two digits.
//
//   ID.topic:  the description │ u32 CRC32C of the id (u64), of shards after the first the shard
//              (u16), and the description; little endian
//
// So a description with a flipped bit, and one under another topic's name, is refused: it may say
// where data may be.
class FileStore : public Store {
 public:
  // Of one worker of so many: it sees the shards of its slots alone.
  explicit FileStore(std::string directory, std::uint32_t worker = 0, std::uint32_t workers = 1)
      : directory_(std::move(directory)), worker_(worker), workers_(workers) {}

  Result<memory::Mapping*> mapping(TopicShard id, std::uint64_t bytes) override;
  Result<void> describe(TopicShard id, const std::string& description) override;
  Result<std::vector<std::string>> descriptions() override;
  std::optional<std::uint64_t> free_bytes() const override;

 private:
  std::string path(TopicShard id, std::string_view ending) const;

  std::string directory_;
  std::uint32_t worker_;
  std::uint32_t workers_;
  std::map<TopicShard, std::unique_ptr<memory::Mapping>> open_;
};

}  // namespace godwit::gateway
