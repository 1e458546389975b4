// The event ring keeps the last events, whole ones only.
#include "monitoring/event_log.h"

#include <memory>
#include <set>
#include <thread>

#include <gtest/gtest.h>

namespace godwit::monitoring {
namespace {

TEST(EventLog, GivesBackWhatWasRecordedInOrder) {
  const auto log = std::make_unique<EventLog>();
  log->record(Instant::from_ns(5), EventKind::kLinkUp, 1, 2, 3);
  log->record(Instant::from_ns(6), EventKind::kLinkDown, 4);
  std::vector<Event> events;
  log->snapshot(events);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].at, Instant::from_ns(5));
  EXPECT_EQ(events[0].kind, EventKind::kLinkUp);
  EXPECT_EQ(events[0].subject, 1U);
  EXPECT_EQ(events[0].a, 2U);
  EXPECT_EQ(events[0].b, 3U);
  EXPECT_EQ(events[1].kind, EventKind::kLinkDown);
}

TEST(EventLog, KeepsTheLastOnes) {
  const auto log = std::make_unique<EventLog>();
  const std::uint64_t count = EventLog::kCapacity + 100;
  for (std::uint64_t i = 0; i < count; ++i) {
    log->record(Instant::from_ns(0), EventKind::kPublishMerged, i);
  }
  std::vector<Event> events;
  log->snapshot(events);
  ASSERT_EQ(events.size(), EventLog::kCapacity);
  EXPECT_EQ(events.front().subject, 100U);
  EXPECT_EQ(events.back().subject, count - 1);
  log->snapshot(events, 3);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events.front().subject, count - 3);
  EXPECT_EQ(log->recorded(), count);
}

TEST(EventLog, NamesEveryKindOnce) {
  std::set<std::string_view> names;
  for (std::uint16_t kind = 0; kind <= static_cast<std::uint16_t>(EventKind::kDefectFound);
       ++kind) {
    const EventInfo& event = event_info(static_cast<EventKind>(kind));
    EXPECT_EQ(static_cast<std::uint16_t>(event.kind), kind);
    EXPECT_TRUE(names.insert(event.name).second) << event.name;
  }
  EXPECT_EQ(event_info(static_cast<EventKind>(60'000)).name, "none");
}

TEST(EventLog, NeverGivesATornEvent) {
  const auto log = std::make_unique<EventLog>();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> read{0};
  std::thread reader([&] {
    std::vector<Event> events;
    while (!stop.load()) {
      log->snapshot(events, 64);
      for (const Event& event : events) {
        // The writer keeps a = 3·subject and b = 5·subject.
        ASSERT_EQ(event.a, 3 * event.subject);
        ASSERT_EQ(event.b, 5 * event.subject);
      }
      read.fetch_add(events.size());
    }
  });
  // Until the reader has seen plenty while the ring was being overwritten.
  for (std::uint64_t i = 1; i <= 300'000 || read.load() < 10'000; ++i) {
    log->record(Instant::from_ns(0), EventKind::kPublishMerged, i, 3 * i, 5 * i);
  }
  stop.store(true);
  reader.join();
  EXPECT_GE(read.load(), 10'000U);
}

}  // namespace
}  // namespace godwit::monitoring
