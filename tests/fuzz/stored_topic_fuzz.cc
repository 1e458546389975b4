// Any bytes in place of a topic's description in the state directory, without and with a checksum
// that is theirs: a gateway that starts there either says what is damaged, or has a topic that it
// can describe, declare again and work on.
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "api/gateway/coder.h"
#include "api/gateway/store.h"
#include "api/gateway/topic.h"
#include "dataplane/base/assert.h"
#include "tests/sim/memory_store.h"
#include "tests/support/temporary_folder.h"

namespace godwit::gateway {
namespace {

// The sums lie in memory, in a file system with little room.
class SmallStore final : public Store {
 public:
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 32U;  // address space, sparse

  Result<memory::Mapping*> mapping(TopicShard topic, std::uint64_t bytes) override {
    if (bytes > kBytesMax) {
      return fail(Code::kFull, "no room for {} bytes", bytes);
    }
    return sums_.mapping(topic, bytes);
  }
  Result<void> describe(TopicShard topic, const std::string& description) override {
    return sums_.describe(topic, description);
  }
  Result<std::vector<std::string>> descriptions() override { return sums_.descriptions(); }

 private:
  sim::MemoryStore sums_;
};

void recover(const std::string& description) {
  SmallStore store;
  Coder coder([] { return Instant(); });
  ledger::Workspace workspace(coder);
  auto topic = Topic::recover(Instant(), description, store, Incarnation{7, 9}, workspace);
  if (!topic) {
    GODWIT_ASSERT(!topic.error().message.empty());
    return;
  }
  const TopicSpec& spec = (*topic)->spec();
  GODWIT_ASSERT(local::is_name(spec.name) && !spec.name.empty());
  GODWIT_ASSERT(spec.tolerance >= 0 && spec.significance >= 0);
  GODWIT_ASSERT(spec.deadline >= Duration::zero() && spec.deadline <= local::kLongestDeadline);
  GODWIT_ASSERT(spec.fraction_bits <= local::kFractionBitsMax);
  GODWIT_ASSERT((*topic)->check_same(spec, false).has_value());
  GODWIT_ASSERT((*topic)->memory_bound() > 0);
  GODWIT_ASSERT((*topic)->ledger().conservation().defects == 0);
  // What it writes, it reads back as the same.
  GODWIT_ASSERT((*topic)->remember(store).has_value());
  const std::string once = store.descriptions()->front();
  GODWIT_ASSERT((*topic)->remember(store).has_value());
  topic->reset();
  auto again = Topic::recover(Instant(), once, store, Incarnation{8, 9}, workspace);
  GODWIT_ASSERT(again.has_value(), "what was written reads back");
  GODWIT_ASSERT((*again)->remember(store).has_value());
  GODWIT_ASSERT(store.descriptions()->front() == once);
}

}  // namespace
}  // namespace godwit::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const godwit::testing_support::TemporaryFolder folder;
  const std::string text(data, data + size);
  std::ofstream((folder / "0123456789abcdef.topic").string(), std::ios::binary) << text;
  godwit::gateway::FileStore store(folder.path().string());
  const auto found = store.descriptions();
  GODWIT_ASSERT(found || found.error().code == godwit::Code::kCorrupt);
  // The same, sealed as a gateway seals it.
  GODWIT_ASSERT(store.describe(godwit::TopicId(0x0123456789abcdef), text).has_value());
  const auto sealed = store.descriptions();
  if (!sealed) {
    GODWIT_ASSERT(text.empty() || text.size() > 65'536, "only its size may be wrong");
    return 0;
  }
  GODWIT_ASSERT(sealed->size() == 1 && sealed->front() == text);
  godwit::gateway::recover(text);
  return 0;
}
