#include <atomic>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/local/memory_channel.h"
#include "dataplane/base/random.h"

namespace godwit::local {
namespace {

std::vector<std::byte> filled(std::size_t bytes, std::uint64_t seed) {
  std::vector<std::byte> out(bytes);
  Random random(seed);
  for (std::byte& b : out) {
    b = static_cast<std::byte>(random.next());
  }
  return out;
}

// Any interleaving of sends and receives delivers exactly what was sent, in order.
RC_GTEST_PROP(RingProperty, AChannelIsAQueue, (const std::vector<std::uint16_t>& steps)) {
  MemoryLink link({.to_gateway_bytes = 1024, .to_client_bytes = 1024});
  struct Sent {
    std::uint16_t type;
    std::vector<std::byte> body;
  };
  std::deque<Sent> expected;
  std::uint64_t number = 0;
  for (const std::uint16_t step : steps) {
    if (step % 2 == 0) {
      const std::size_t size = (step / 2) % (link.client_end().body_bytes_max() + 1);
      const auto body = filled(size, ++number);
      const auto type = static_cast<std::uint16_t>(1 + number % 100);
      const auto split = std::span(body).first(size / 3);
      if (link.client_end().send(type, split, std::span(body).subspan(size / 3))) {
        expected.push_back({type, body});
      }
    } else {
      const auto record = link.gateway_end().receive();
      RC_ASSERT(record.has_value() == !expected.empty());
      if (record) {
        RC_ASSERT(record->type == expected.front().type);
        RC_ASSERT(std::equal(record->body.begin(),
                             record->body.end(),
                             expected.front().body.begin(),
                             expected.front().body.end()));
        expected.pop_front();
      }
    }
  }
  RC_ASSERT(!link.gateway_end().broken() && !link.client_end().broken());
}

// Whatever a hostile client does to the shared words and bytes, the gateway's end neither crashes
// (sanitizers watch) nor hands out a record longer than the limit, and it ends by itself.
RC_GTEST_PROP(RingProperty, NoSharedWordCanHarmTheGatewaysEnd, (std::uint64_t seed)) {
  Random random(seed);
  MemoryLink link({.to_gateway_bytes = 2048, .to_client_bytes = 2048});
  RingMemory up = link.to_gateway_memory();
  RingMemory down = link.to_client_memory();
  const auto odd_value = [&random](std::uint64_t near) {
    switch (random.below(4)) {
      case 0:
        return random.next();
      case 1:
        return near + random.below(64) * 8;
      case 2:
        return near - random.below(64) * 8;
      default:
        return near + random.below(8192);
    }
  };
  for (int step = 0; step < 200; ++step) {
    switch (random.below(8)) {
      case 0:
        up.control->head = odd_value(up.control->head);
        break;
      case 1:
        up.control->tail = odd_value(up.control->tail);
        break;
      case 2:
        down.control->tail = odd_value(down.control->tail);
        break;
      case 3:
        up.control->producer_waits = static_cast<std::uint32_t>(random.next());
        break;
      case 4: {
        const auto lie = static_cast<std::uint32_t>(odd_value(64));
        std::memcpy(up.bytes.data() + random.below(up.bytes.size() / 8) * 8, &lie, sizeof(lie));
        break;
      }
      case 5:
        (void)link.client_end().send(1, filled(random.below(400), seed));
        break;
      case 6:
        (void)link.gateway_end().send(64, filled(random.below(400), seed));
        break;
      default:
        if (const auto record = link.gateway_end().receive()) {
          RC_ASSERT(record->body.size() <= body_bytes_max(up.bytes.size()));
          // Every byte can be read: the sanitizer would object otherwise.
          std::uint64_t sum = 0;
          for (const std::byte b : record->body) {
            sum += static_cast<std::uint64_t>(b);
          }
          RC_ASSERT(sum <= 255 * record->body.size());
        }
    }
  }
  int left = 0;
  while (link.gateway_end().receive()) {
    RC_ASSERT(++left <= 256);  // a ring of 2,048 bytes holds no more
  }
}

// A producer and a consumer on two threads that wake each other only by doorbells: one lost
// doorbell and the test hangs.
TEST(RingThreads, NeitherARecordNorAWakeupIsLostBetweenTwoThreads) {
  constexpr std::uint64_t kRecords = 100'000;
  std::atomic<std::uint32_t> gateway_rung{0};
  std::atomic<std::uint32_t> client_rung{0};
  const auto ring = [](std::atomic<std::uint32_t>& bell) {
    bell.fetch_add(1);
    bell.notify_one();
  };
  MemoryLink link({.to_gateway_bytes = 4096,
                   .to_client_bytes = 1024,
                   .wake_gateway = [&] { ring(gateway_rung); },
                   .wake_client = [&] { ring(client_rung); }});
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < kRecords;) {
      const std::uint32_t seen = client_rung.load();
      if (link.client_end().send(1, std::as_bytes(std::span(&i, 1)))) {
        ++i;
      } else {
        client_rung.wait(seen);
      }
    }
  });
  std::uint64_t wrong = 0;
  for (std::uint64_t expected = 0; expected < kRecords;) {
    const std::uint32_t seen = gateway_rung.load();
    if (const auto record = link.gateway_end().receive()) {
      std::uint64_t value = 0;
      std::memcpy(&value, record->body.data(), sizeof(value));
      wrong += value != expected ? 1U : 0U;
      ++expected;
    } else {
      gateway_rung.wait(seen);
    }
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace godwit::local
