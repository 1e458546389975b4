#include "api/client/topic_part.h"

#include <utility>

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

void TopicPart::open_again() {
  state = TopicState::kOpening;
  error = {};
  begin_connection();
}

void TopicPart::declare_again(const Declaration& declaration) {
  TopicPart again(declaration, shard);
  const bool same_shape = options.element_count == again.options.element_count &&
                          options.fraction_bits == again.options.fraction_bits;
  if (same_shape) {
    options = std::move(again.options);
    seed = std::move(again.seed);
    seed_hash = again.seed_hash;
    open_again();
    return;
  }
  again.outbox = std::move(outbox);
  again.replaces = replaces;
  again.incarnation = incarnation;
  again.next_incarnation();
  *this = std::move(again);
}

}  // namespace godwit::client
