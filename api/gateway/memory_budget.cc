// What of a worker's memory is promised to topics, and whether more of it may be.

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "api/gateway/core.h"

namespace godwit::gateway {
namespace {

// Of which memory a refusal speaks.
std::string name_of_memory(const Config& config, std::uint32_t worker) {
  return config.workers == 1 ? "the gateway's memory"
                             : fmt::format("worker {}'s part of the gateway's memory", worker);
}

std::uint64_t mib_up(std::uint64_t bytes) {
  return (bytes + (Bytes::mib(1).count() - 1)) >> 20U;
}

}  // namespace

Result<std::uint64_t> Core::bound_of_unopened(TopicSpec spec) const {
  std::uint64_t sum = 0;
  for (std::uint32_t shard = 0; shard < spec.sharding.shards; ++shard) {
    spec.id.shard = static_cast<std::uint16_t>(shard);
    if (worker_of(spec.id) != worker || topics.contains(spec.id)) {
      continue;
    }
    const auto bound = Topic::bound_when_made(spec, config);
    if (!bound) {
      return bound;
    }
    sum += *bound;
  }
  return sum;
}

std::uint64_t Core::memory_promised(std::optional<TopicId> opening) const {
  std::uint64_t sum = 0;
  std::optional<TopicId> last = opening;
  for (const auto& [id, topic] : topics) {
    sum += topic->memory_bound();
    if (id.topic != last && id.topic != opening) {
      sum += bound_of_unopened(topic->spec()).value_or(0);
    }
    last = id.topic;
  }
  return sum;
}

Result<void> Core::check_room(const TopicSpec& spec) const {
  const auto need = bound_of_unopened(spec);
  if (!need) {
    return Failure(need.error());
  }
  const Bytes left = config.memory_each() - Bytes(memory_promised(spec.id.topic));
  if (*need <= left.count()) {
    return {};
  }
  return fail(Code::kFull,
              "topic {}: may need {} MiB and {} MiB of {} are not promised to other topics; raise "
              "[self] memory",
              spec.name,
              mib_up(*need),
              left.count() >> 20U,
              name_of_memory(config, worker));
}

Result<void> Core::check_budget(const Topic& topic,
                                std::uint64_t bound,
                                std::string_view whom) const {
  const std::uint64_t more = bound - std::min(bound, topic.memory_bound());
  const Bytes left = config.memory_each() - Bytes(memory_promised());
  if (more <= left.count()) {
    return {};
  }
  return fail(Code::kFull,
              "topic {}: one more {} may need {} MiB and {} MiB of {} are not promised; raise "
              "[self] memory, or let another one go first",
              topic.spec().name,
              whom,
              mib_up(more),
              left.count() >> 20U,
              name_of_memory(config, worker));
}

}  // namespace godwit::gateway
