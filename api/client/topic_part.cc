#include "api/client/topic_part.h"

#include "api/client/shard_runs.h"

namespace godwit::client {

TopicPart::TopicPart(const Declaration& declaration, std::uint32_t part)
    : options(declaration.options),
      sharding(declaration.sharding),
      shard(part),
      seed_hash(declaration.seed_hash) {
  const std::span<const float> whole = std::exchange(options.seed, {});
  if (whole.empty()) {
    return;
  }
  seed.reserve(elements());
  for_each_run(sharding,
               shard,
               0,
               elements(),
               [&](std::uint64_t element, std::uint64_t, std::uint64_t count) {
                 const auto run = whole.subspan(element, count);
                 seed.insert(seed.end(), run.begin(), run.end());
               });
}

}  // namespace godwit::client
