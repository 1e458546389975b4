// Where a gateway keeps its topics: one sparse mapping of sums and one description each.
//
// The file store is the product's; the simulator brings one in memory that outlives its gateways.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "dataplane/memory/mapping.h"

namespace godwit::gateway {

class Store {
 public:
  virtual ~Store() = default;

  // The mapping of a topic's sums, of exactly `bytes`; made when there is none. It stays the
  // store's and lives as long as the store, or until the topic's is asked for in another size:
  // nobody may hold it then.
  virtual Result<memory::Mapping*> mapping(TopicId topic, std::uint64_t bytes) = 0;
  // Replaces a topic's description as a whole.
  virtual Result<void> describe(TopicId topic, const std::string& description) = 0;
  // Every description there is. kCorrupt: one is damaged; the message names its file.
  virtual Result<std::vector<std::string>> descriptions() = 0;
};

// Files `<topic>.sums` and `<topic>.topic` in a directory, the topic's id in hexadecimal.
//
//   ID.topic:  the description │ u32 CRC32C of the id (u64) and the description; little endian
//
// So a description with a flipped bit, and one under another topic's name, is refused: it may say
// where data may be.
class FileStore : public Store {
 public:
  explicit FileStore(std::string directory) : directory_(std::move(directory)) {}

  Result<memory::Mapping*> mapping(TopicId topic, std::uint64_t bytes) override;
  Result<void> describe(TopicId topic, const std::string& description) override;
  Result<std::vector<std::string>> descriptions() override;

 private:
  std::string path(TopicId topic, std::string_view ending) const;

  std::string directory_;
  std::map<TopicId, std::unique_ptr<memory::Mapping>> open_;
};

}  // namespace godwit::gateway
