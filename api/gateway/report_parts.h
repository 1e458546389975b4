// The parts of an answer joined: what shards and connections say by themselves is asked as one.
//
//   topic "w", shard 0 ─┐                         site "fra", connection 0 ─┐
//   topic "w", shard 1 ─┼─▶ topic "w"             site "fra", connection 1 ─┴─▶ site "fra"
//   topic "w", shard 2 ─┘
//
// Amounts add up. Of what every part must have reached, the one that is furthest behind counts; of
// what each part counts by itself, the largest.
#pragma once

#include "api/proto/admin.pb.h"

namespace godwit::gateway {

// Adds what another worker answered to the same question; `into` may be empty. An error stays where
// no worker has an answer.
void add_answer(admin::AdminResponse& into, const admin::AdminResponse& other);

// Joins the parts of each thing in a complete answer, in the order of their first. Connections
// stay apart where links are asked for.
void join_parts(admin::AdminResponse& response);
// Adds another shard of the topic to an explanation.
void add_shard(admin::ExplainReport& into, const admin::ExplainReport& shard);

}  // namespace godwit::gateway
