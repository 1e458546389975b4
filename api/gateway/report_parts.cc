#include "api/gateway/report_parts.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "dataplane/ledger/field_checksum.h"
#include "scheduler/queue/residual.h"

namespace godwit::gateway {
namespace {

// `join(into, from)` for every pair of equal keys; the later one goes.
template <class Part, class Key, class Join>
void join_equal(google::protobuf::RepeatedPtrField<Part>& parts, Key key, Join join) {
  int kept = 0;
  for (int i = 0; i < parts.size(); ++i) {
    const auto same = [&](const Part& one) { return key(one) == key(parts.Get(i)); };
    const auto first = std::find_if(parts.begin(), parts.begin() + kept, same);
    if (first != parts.begin() + kept) {
      join(*first, parts.Get(i));
    } else {
      parts.SwapElements(kept++, i);
    }
  }
  parts.DeleteSubrange(kept, parts.size() - kept);
}

void join(admin::TopicSummary& into, const admin::TopicSummary& from) {
  into.set_publishes(std::max(into.publishes(), from.publishes()));
  into.set_refused(into.refused() + from.refused());
  into.set_memory_used_bytes(into.memory_used_bytes() + from.memory_used_bytes());
  into.set_memory_bound_bytes(into.memory_bound_bytes() + from.memory_bound_bytes());
  into.set_open_bytes_estimate(into.open_bytes_estimate() + from.open_bytes_estimate());
  into.set_unreceipted_transfers(into.unreceipted_transfers() + from.unreceipted_transfers());
}

scheduler::Residual residual_of(const admin::LaneReport& lane) {
  return {.energy = lane.residual_energy(),
          .age_seconds = static_cast<double>(lane.residual_age_ns()) * 1e-9,
          .decay_per_second = lane.residual_decay()};
}

void join(admin::LaneReport& into, const admin::LaneReport& from) {
  into.set_next_k(std::max(into.next_k(), from.next_k()));
  into.set_frontier(std::min(into.frontier(), from.frontier()));
  into.set_unreceipted_transfers(into.unreceipted_transfers() + from.unreceipted_transfers());
  into.set_unreceipted_bytes(into.unreceipted_bytes() + from.unreceipted_bytes());
  into.set_open_bytes_estimate(into.open_bytes_estimate() + from.open_bytes_estimate());
  if (from.published() - from.covered_to() > into.published() - into.covered_to()) {
    into.set_published(from.published());
    into.set_covered_to(from.covered_to());
  }
  into.set_window_full(into.window_full() || from.window_full());
  into.set_oldest_unreceipted_ns(
      std::max(into.oldest_unreceipted_ns(), from.oldest_unreceipted_ns()));
  into.set_open(into.open() && from.open());
  const scheduler::Residual residual = residual_of(into) += residual_of(from);
  into.set_residual_energy(residual.energy);
  into.set_residual_age_ns(static_cast<std::uint64_t>(residual.age_seconds * 1e9));
  into.set_residual_decay(residual.decay_per_second);
  if (into.reason().empty()) {
    into.set_reason(from.reason());
  }
}

void join(admin::SiteClock& into, const admin::SiteClock& from) {
  into.set_clock(std::min(into.clock(), from.clock()));
  into.set_staleness(std::max(into.staleness(), from.staleness()));
  into.set_age_ns(std::max(into.age_ns(), from.age_ns()));
}

// A site that never ticked has no clock; on a shard that has not heard of one that did it is 0.
void add_silent(admin::TopicReport& into, const admin::TopicReport& from) {
  for (const admin::SiteClock& known : from.clocks()) {
    const auto is_its = [&](const auto& one) { return one.site() == known.site(); };
    if (std::none_of(into.clocks().begin(), into.clocks().end(), is_its)) {
      auto* silent = into.add_clocks();
      silent->set_site(known.site());
      silent->set_staleness(known.clock() + known.staleness());
    }
  }
}

void join(admin::TopicReport& into, const admin::TopicReport& from) {
  join(*into.mutable_summary(), from.summary());
  into.mutable_lanes()->MergeFrom(from.lanes());
  join_equal(
      *into.mutable_lanes(),
      [](const auto& lane) { return std::string_view(lane.to()); },
      [](auto& one, const auto& other) { join(one, other); });
  admin::TopicReport heard = from;
  add_silent(heard, into);
  add_silent(into, from);
  into.mutable_clocks()->MergeFrom(heard.clocks());
  join_equal(
      *into.mutable_clocks(),
      [](const auto& clock) { return std::string_view(clock.site()); },
      [](auto& one, const auto& other) { join(one, other); });
  into.set_significance_withheld(into.significance_withheld() + from.significance_withheld());
  into.set_touched_blocks(into.touched_blocks() + from.touched_blocks());
  into.set_publishers(std::max(into.publishers(), from.publishers()));
  into.set_subscribers(std::max(into.subscribers(), from.subscribers()));
  into.set_memory_next_subscriber_bytes(into.memory_next_subscriber_bytes() +
                                        from.memory_next_subscriber_bytes());
  into.set_memory_next_publisher_bytes(into.memory_next_publisher_bytes() +
                                       from.memory_next_publisher_bytes());
}

void join(admin::LaneLedger& into, const admin::LaneLedger& from) {
  into.set_sent_checksum(ledger::field_add(into.sent_checksum(), from.sent_checksum()));
  into.set_balanced(into.balanced() && from.balanced());
}

void join(admin::TopicLedger& into, const admin::TopicLedger& from) {
  into.set_defect(into.defect() + from.defect());
  into.set_published_checksum(
      ledger::field_add(into.published_checksum(), from.published_checksum()));
  into.set_received_checksum(ledger::field_add(into.received_checksum(), from.received_checksum()));
  into.set_published_mass(into.published_mass() + from.published_mass());
  into.set_received_mass(into.received_mass() + from.received_mass());
  into.set_sent_mass(into.sent_mass() + from.sent_mass());
  into.set_open_mass(into.open_mass() + from.open_mass());
  into.set_in_flight_mass(into.in_flight_mass() + from.in_flight_mass());
  into.set_detached_mass(into.detached_mass() + from.detached_mass());
  into.set_scrub_passes(std::min(into.scrub_passes(), from.scrub_passes()));
  into.mutable_lanes()->MergeFrom(from.lanes());
  join_equal(
      *into.mutable_lanes(),
      [](const auto& lane) { return std::string_view(lane.to()); },
      [](auto& one, const auto& other) { join(one, other); });
}

// How much an operator wants to know it, before the other shards' reasons.
int weight(const admin::LaneExplanation& lane) {
  static constexpr std::string_view kRising[] = {
      "lane.current", "lane.sending", "lane.window_full", "lane.closed", "link.down"};
  const auto at = std::find(std::begin(kRising), std::end(kRising), lane.reason());
  return static_cast<int>(at - std::begin(kRising));
}

void join(admin::LaneExplanation& into, const admin::LaneExplanation& from) {
  const std::uint64_t expected = into.expected_ns() + from.expected_ns();  // on one link
  if (weight(from) > weight(into)) {
    into = from;
  }
  into.set_expected_ns(expected);
}

void join(admin::PeerReport& into, const admin::PeerReport& from) {
  into.set_connected(into.connected() && from.connected());
  into.set_refused_handshakes(into.refused_handshakes() + from.refused_handshakes());
  if (into.last_refusal().empty()) {
    into.set_last_refusal(from.last_refusal());
  }
}

void join(admin::PortReport& into, const admin::PortReport& from) {
  into.set_link_up(into.link_up() && from.link_up());
  into.set_sent_packets(into.sent_packets() + from.sent_packets());
  into.set_received_packets(into.received_packets() + from.received_packets());
  into.set_sent_frames(into.sent_frames() + from.sent_frames());
  into.set_received_frames(into.received_frames() + from.received_frames());
  into.set_send_busy(into.send_busy() + from.send_busy());
  into.set_send_errors(into.send_errors() + from.send_errors());
  into.set_receive_errors(into.receive_errors() + from.receive_errors());
  into.set_receive_starved(into.receive_starved() + from.receive_starved());
  into.set_receive_dropped(into.receive_dropped() + from.receive_dropped());
  into.set_neighbours_changed(into.neighbours_changed() + from.neighbours_changed());
  into.set_neighbours_given_up(into.neighbours_given_up() + from.neighbours_given_up());
  into.set_link_downs(std::max(into.link_downs(), from.link_downs()));  // all see the same link
  into.mutable_refusals()->MergeFrom(from.refusals());
  join_equal(
      *into.mutable_refusals(),
      [](const auto& refusal) { return std::string_view(refusal.reason()); },
      [](auto& one, const auto& other) { one.set_frames(one.frames() + other.frames()); });
  into.mutable_silent_neighbours()->MergeFrom(from.silent_neighbours());
  join_equal(
      *into.mutable_silent_neighbours(),
      [](const auto& neighbour) { return std::string_view(neighbour.address()); },
      [](auto& one, const auto& other) {
        one.set_silent_ns(std::max(one.silent_ns(), other.silent_ns()));
      });
  into.mutable_address_conflicts()->MergeFrom(from.address_conflicts());
  join_equal(
      *into.mutable_address_conflicts(),
      [](const auto& one) {
        return std::pair(std::string_view(one.address()), std::string_view(one.mac()));
      },
      [](auto& one, const auto& other) {
        one.set_seen_ns(std::min(one.seen_ns(), other.seen_ns()));
      });
}

// What a status says once.
void join(admin::StatusReport& into, const admin::StatusReport& from) {
  into.set_memory_used_bytes(into.memory_used_bytes() + from.memory_used_bytes());
  into.set_client_ring_bytes(into.client_ring_bytes() + from.client_ring_bytes());
  into.set_clients(into.clients() + from.clients());
  into.set_defect(into.defect() + from.defect());
  join(*into.mutable_port(), from.port());
}

// A topic's problems are those of its shards: once is enough.
auto problem_key(const admin::Problem& problem) {
  return std::tuple(std::string_view(problem.reason()),
                    std::string_view(problem.subject()),
                    std::string_view(problem.text()));
}

}  // namespace

void add_shard(admin::ExplainReport& into, const admin::ExplainReport& shard) {
  join(*into.mutable_topic(), shard.topic());
  into.mutable_lanes()->MergeFrom(shard.lanes());
  join_equal(
      *into.mutable_lanes(),
      [](const auto& lane) { return std::string_view(lane.to()); },
      [](auto& one, const auto& other) { join(one, other); });
}

void add_answer(admin::AdminResponse& into, const admin::AdminResponse& other) {
  if (into.kind_case() == admin::AdminResponse::KIND_NOT_SET || into.has_error()) {
    into = other;
    return;
  }
  if (other.kind_case() != into.kind_case()) {
    return;  // it knows nothing of the kind
  }
  if (into.has_explain()) {
    add_shard(*into.mutable_explain(), other.explain());
    return;
  }
  // What is said once of all workers adds up; the rest are lists of what each has.
  admin::StatusReport status = into.status();
  join(status, other.status());
  admin::PortReport links_port = into.links().port();
  join(links_port, other.links().port());
  const std::uint64_t defect = into.ledger().defect() + other.ledger().defect();
  const std::uint64_t left = into.stop().open_bytes_estimate() + other.stop().open_bytes_estimate();
  into.MergeFrom(other);
  if (into.has_status()) {
    *into.mutable_status()->mutable_port() = status.port();
    into.mutable_status()->set_memory_used_bytes(status.memory_used_bytes());
    into.mutable_status()->set_client_ring_bytes(status.client_ring_bytes());
    into.mutable_status()->set_clients(status.clients());
    into.mutable_status()->set_defect(status.defect());
  } else if (into.has_links()) {
    *into.mutable_links()->mutable_port() = links_port;
  } else if (into.has_ledger()) {
    into.mutable_ledger()->set_defect(defect);
  } else if (into.has_stop()) {
    into.mutable_stop()->set_open_bytes_estimate(left);
  }
}

void join_parts(admin::AdminResponse& response) {
  const auto join_two = [](auto& one, const auto& other) { join(one, other); };
  switch (response.kind_case()) {
    case admin::AdminResponse::kStatus:
      join_equal(
          *response.mutable_status()->mutable_topics(),
          [](const auto& topic) { return std::string_view(topic.name()); },
          join_two);
      join_equal(*response.mutable_status()->mutable_problems(),
                 problem_key,
                 [](auto& one, const auto& other) {
                   one.set_since_ns(std::max(one.since_ns(), other.since_ns()));
                 });
      return;
    case admin::AdminResponse::kTopics:
      join_equal(
          *response.mutable_topics()->mutable_topics(),
          [](const auto& topic) { return std::string_view(topic.summary().name()); },
          join_two);
      return;
    case admin::AdminResponse::kPeers:
      join_equal(
          *response.mutable_peers()->mutable_peers(),
          [](const auto& peer) { return std::string_view(peer.site()); },
          join_two);
      return;
    case admin::AdminResponse::kLedger:
      join_equal(
          *response.mutable_ledger()->mutable_topics(),
          [](const auto& topic) { return std::string_view(topic.topic()); },
          join_two);
      return;
    default:
      return;
  }
}

}  // namespace godwit::gateway
