// What several workers answer, as one answer.
#include "api/gateway/report_parts.h"

#include <string>

#include <gtest/gtest.h>

namespace godwit::gateway {
namespace {

using admin::AdminResponse;

AdminResponse joined(const AdminResponse& one, const AdminResponse& other) {
  AdminResponse whole;
  add_answer(whole, one);
  add_answer(whole, other);
  join_parts(whole);
  return whole;
}

TEST(ReportParts, AddUpWhatAStatusCountsAndListWhatEachHas) {
  AdminResponse one;
  AdminResponse other;
  int factor = 1;
  for (AdminResponse* part : {&one, &other}) {
    auto* status = part->mutable_status();
    status->set_site("fra");
    status->set_memory_budget_bytes(1000);
    status->set_memory_used_bytes(static_cast<std::uint64_t>(10 * factor));
    status->set_client_ring_bytes(static_cast<std::uint64_t>(100 * factor));
    status->set_clients(static_cast<std::uint32_t>(factor));
    status->set_defect(static_cast<std::uint64_t>(factor));
    status->add_links()->set_connection(static_cast<std::uint32_t>(factor));
    status->mutable_port()->set_link_up(factor == 1);
    status->mutable_port()->set_receive_dropped(static_cast<std::uint64_t>(factor));
    status->mutable_port()->set_neighbours_changed(static_cast<std::uint64_t>(factor));
    status->mutable_port()->set_neighbours_given_up(static_cast<std::uint64_t>(factor));
    status->mutable_port()->set_link_downs(static_cast<std::uint64_t>(factor));
    auto* refusal = status->mutable_port()->add_refusals();
    refusal->set_reason("bad_checksum");
    refusal->set_frames(static_cast<std::uint64_t>(factor));
    auto* problem = status->add_problems();
    problem->set_reason("topic.residency");
    problem->set_subject("t");
    problem->set_since_ns(static_cast<std::uint64_t>(factor));
    factor = 2;
  }
  const admin::StatusReport whole = joined(one, other).status();
  EXPECT_EQ(whole.site(), "fra");
  EXPECT_EQ(whole.memory_budget_bytes(), 1000U) << "of the whole gateway already";
  EXPECT_EQ(whole.memory_used_bytes(), 30U);
  EXPECT_EQ(whole.client_ring_bytes(), 300U);
  EXPECT_EQ(whole.clients(), 3U);
  EXPECT_EQ(whole.defect(), 3U);
  EXPECT_EQ(whole.links_size(), 2);
  EXPECT_FALSE(whole.port().link_up());
  EXPECT_EQ(whole.port().receive_dropped(), 3U);
  EXPECT_EQ(whole.port().neighbours_changed(), 3U);
  EXPECT_EQ(whole.port().neighbours_given_up(), 3U);
  EXPECT_EQ(whole.port().link_downs(), 2U) << "of one device";
  ASSERT_EQ(whole.port().refusals_size(), 1);
  EXPECT_EQ(whole.port().refusals(0).frames(), 3U);
  ASSERT_EQ(whole.problems_size(), 1) << "the shards of one topic have one problem";
  EXPECT_EQ(whole.problems(0).since_ns(), 2U);
}

TEST(ReportParts, TakeTheAnswerOfWhoHasOne) {
  AdminResponse nothing;
  nothing.mutable_error()->set_code(admin::Error::CODE_NOT_FOUND);
  AdminResponse topic;
  topic.mutable_topics()->add_topics()->mutable_summary()->set_name("t");
  EXPECT_EQ(joined(nothing, topic).topics().topics_size(), 1);
  EXPECT_EQ(joined(topic, nothing).topics().topics_size(), 1);
  EXPECT_EQ(joined(nothing, nothing).error().code(), admin::Error::CODE_NOT_FOUND);
}

TEST(ReportParts, SayOfATopicWhatItsShardThatIsFurthestBehindSays) {
  AdminResponse one;
  AdminResponse other;
  const auto add =
      [](AdminResponse& to, std::uint64_t published, std::uint64_t covered, std::uint64_t clock) {
        auto* topic = to.mutable_topics()->add_topics();
        topic->mutable_summary()->set_name("t");
        topic->mutable_summary()->set_elements(100);
        topic->mutable_summary()->set_memory_used_bytes(7);
        auto* lane = topic->add_lanes();
        lane->set_to("nyc");
        lane->set_published(published);
        lane->set_covered_to(covered);
        lane->set_open(covered > 0);
        lane->set_residual_energy(covered > 0 ? 3 : 1);
        lane->set_residual_age_ns(covered > 0 ? 1'000 : 5'000);
        lane->set_residual_decay(covered > 0 ? 0.5 : 0.1);
        auto* site = topic->add_clocks();
        site->set_site("nyc");
        site->set_clock(clock);
      };
  add(one, 10, 9, 5);
  add(other, 4, 0, 6);
  const auto topics = joined(one, other).topics().topics();
  ASSERT_EQ(topics.size(), 1);
  EXPECT_EQ(topics[0].summary().elements(), 100U);
  EXPECT_EQ(topics[0].summary().memory_used_bytes(), 14U);
  ASSERT_EQ(topics[0].lanes_size(), 1);
  EXPECT_EQ(topics[0].lanes(0).published(), 4U);
  EXPECT_EQ(topics[0].lanes(0).covered_to(), 0U);
  EXPECT_FALSE(topics[0].lanes(0).open());
  EXPECT_DOUBLE_EQ(topics[0].lanes(0).residual_energy(), 4);
  EXPECT_EQ(topics[0].lanes(0).residual_age_ns(), 2'000U) << "the mean over the energy";
  EXPECT_DOUBLE_EQ(topics[0].lanes(0).residual_decay(), 0.4);
  ASSERT_EQ(topics[0].clocks_size(), 1);
  EXPECT_EQ(topics[0].clocks(0).clock(), 5U);
}

TEST(ReportParts, LetAShardThatHasNotHeardOfATickHoldTheSiteAtZero) {
  const auto shard = [](std::uint64_t nyc) {
    AdminResponse answer;
    auto* topic = answer.mutable_topics()->add_topics();
    topic->mutable_summary()->set_name("t");
    if (nyc > 0) {
      auto* clock = topic->add_clocks();
      clock->set_site("nyc");
      clock->set_clock(nyc);
      clock->set_staleness(2);
    }
    return answer;
  };
  for (const auto& whole : {joined(shard(5), shard(0)), joined(shard(0), shard(5))}) {
    const auto& topic = whole.topics().topics(0);
    ASSERT_EQ(topic.clocks_size(), 1);
    EXPECT_EQ(topic.clocks(0).site(), "nyc");
    EXPECT_EQ(topic.clocks(0).clock(), 0U);
    EXPECT_EQ(topic.clocks(0).staleness(), 7U);
  }
  EXPECT_EQ(joined(shard(0), shard(0)).topics().topics(0).clocks_size(), 0);
}

TEST(ReportParts, ExplainALaneByTheGravestReason) {
  AdminResponse one;
  AdminResponse other;
  const auto add = [](AdminResponse& to, const std::string& reason) {
    auto* lane = to.mutable_explain()->add_lanes();
    lane->set_to("nyc");
    lane->set_reason(reason);
    lane->set_expected_ns(5);
  };
  add(one, "lane.current");
  add(other, "lane.quarantined");
  for (const auto& whole : {joined(one, other), joined(other, one)}) {
    ASSERT_EQ(whole.explain().lanes_size(), 1);
    EXPECT_EQ(whole.explain().lanes(0).reason(), "lane.quarantined");
    EXPECT_EQ(whole.explain().lanes(0).expected_ns(), 10U);
  }
}

TEST(ReportParts, AddUpWhatAStopLeaves) {
  AdminResponse one;
  AdminResponse other;
  one.mutable_stop()->set_open_bytes_estimate(3);
  other.mutable_stop()->set_open_bytes_estimate(4);
  other.mutable_stop()->set_drain_ns(9);
  const AdminResponse whole = joined(one, other);
  EXPECT_EQ(whole.stop().open_bytes_estimate(), 7U);
  EXPECT_EQ(whole.stop().drain_ns(), 9U);
}

}  // namespace
}  // namespace godwit::gateway
