// What an application declares, checked before any gateway hears of it.
#pragma once

#include <cstdint>

#include "api/client/client.h"
#include "dataplane/base/result.h"
#include "dataplane/base/sharding.h"

namespace godwit::client {

struct Declaration {
  TopicOptions options = {};  // `seed` refers to the application's values
  Sharding sharding = {};
  std::uint64_t seed_hash = 0;  // of the whole seed; 0 without one
};

// kInvalid says what no gateway would take. options.shards = 0 stands for one.
Result<Declaration> check_declaration(const TopicOptions& options);

// Whether a topic may be declared `again` while it is open: kInvalid names what differs. Without a
// tenant, class, deadline, significance or seed the new one takes what there is, as at the gateway.
Result<void> check_same(const Declaration& before, const Declaration& again);

}  // namespace godwit::client
