// Real processes, real files, real kill -9: sums and checksums are exact after every death.
//
// ```
//   child: publish ─▶ merge ─▶ freeze ─▶ apply ─▶ receipt, for ever     parent: kill -9, verify
//          └──── site A, file 1 ────┘   └ site B, file 2 ┘
// ```
// What the child publishes under number n is a function of n, so the parent knows every sum from
// the number that A calls safe.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/random.h"
#include "tests/dataplane/ledger/support.h"

namespace godwit::ledger::test {
namespace {

constexpr std::uint64_t kElements = 70'000;

struct Numbered {
  std::uint64_t first = 0;
  std::vector<std::int64_t> values;
};

Numbered publish_of(std::uint64_t number) {
  Random random(number);
  Numbered result;
  result.first = random.below(kElements - 20'000);
  result.values.resize(1 + random.below(20'000));
  for (std::int64_t& value : result.values) {
    value = static_cast<std::int64_t>(random.next() >> 30U) - (std::int64_t{1} << 33U);
  }
  return result;
}

// Two's complement differences of eight bytes, dense: more bytes change than with a sparse list.
class RawDecoder final : public TileDecoder {
 public:
  Result<void> decode(std::uint8_t codec,
                      std::span<const std::byte> coded,
                      std::span<std::int64_t> out) override {
    if (codec != 1 || coded.size() < 4) {
      return fail(Code::kCorrupt, "no raw range");
    }
    std::uint32_t first = 0;
    std::memcpy(&first, coded.data(), 4);
    const std::size_t count = (coded.size() - 4) / 8;
    if (first + count > out.size()) {
      return fail(Code::kCorrupt, "raw range too long");
    }
    std::fill(out.begin(), out.end(), 0);
    std::memcpy(out.data() + first, coded.data() + 4, count * 8);
    return {};
  }
};

struct FileSite {
  FileSite(const std::string& path, const char* name)
      : shape(small_shape(name)),
        mapping(memory::Mapping::open(path, layout_bytes(shape)).value()),
        ledger(Ledger::attach(mapping, shape, {1, 5}, workspace).value()) {}
  Shape shape;
  RawDecoder decoder;
  Workspace workspace{decoder};
  memory::Mapping mapping;
  std::unique_ptr<Ledger> ledger;
};

struct Both {
  explicit Both(const std::string& path) : a(path + "-a", "fra"), b(path + "-b", "iad") {
    inbox = a.ledger->open_inbox(PublisherId(1), {1, 1}).value();
    lane = a.ledger
               ->open_lane({.kind = LaneKind::kSite,
                            .to = b.shape.site.value(),
                            .to_incarnation = b.ledger->incarnation()},
                           {.window = 8, .ring_bytes = 0, .own_publisher = {}})
               .value();
    incoming =
        b.ledger->open_incoming(a.shape.site, a.ledger->incarnation(), b.ledger->incarnation())
            .value();
  }

  void publish() {
    const std::uint64_t number = a.ledger->inbox(inbox).last_number + 1;
    const Numbered next = publish_of(number);
    const auto begun = a.ledger->begin_publish(
        inbox, {.number = number, .step = 0, .first = next.first, .count = next.values.size()});
    if (begun && *begun == Begin::kFresh) {
      static_cast<void>(a.ledger->stage(inbox, next.first, next.values));
      static_cast<void>(a.ledger->commit_publish(inbox));
    }
  }

  // Freezes about 40 KiB from each of up to two tiles, whole values from a moving place on.
  void freeze(Random& random) {
    if (!a.ledger->begin_transfer(lane, {})) {
      return;
    }
    std::vector<std::int64_t> open(kTileElements);
    for (std::uint32_t tile = 0; tile < 3; ++tile) {
      if (!a.ledger->dirty(lane, tile) || a.ledger->building_tiles(lane) == 2) {
        continue;
      }
      a.ledger->read_open(lane, tile, open);
      const auto used = std::find_if(open.begin(), open.end(), [](auto x) { return x != 0; });
      auto first = static_cast<std::uint32_t>(used - open.begin());
      first +=
          static_cast<std::uint32_t>(random.below(2) * random.below(kTileElements - first + 1));
      const std::size_t count = std::min<std::size_t>(4'000, kTileElements - first);
      std::vector<std::byte> coded(4 + (count * 8));
      std::memcpy(coded.data(), &first, 4);
      std::memcpy(coded.data() + 4, open.data() + first, count * 8);
      std::uint64_t rest = 0;
      for (std::size_t e = 0; e < open.size(); ++e) {
        if (e < first || e >= first + count) {
          rest = std::max(rest, static_cast<std::uint64_t>(std::abs(open[e])));
          open[e] = 0;
        }
      }
      if (!a.ledger->append(lane, tile, 1, coded, open, rest)) {
        break;
      }
    }
    static_cast<void>(a.ledger->seal(lane));
  }

  void exchange() {
    for (auto k = a.ledger->next_unreceipted(lane); k; k = a.ledger->next_unreceipted(lane, *k)) {
      const auto view = wire::parse_transfer(a.ledger->frozen(lane, *k), b.shape.tile_count());
      ASSERT_TRUE(view.has_value()) << view.error().message;
      const auto applied = b.ledger->apply(incoming, *view);
      ASSERT_TRUE(applied.has_value()) << applied.error().message;
    }
    const auto receipted = a.ledger->on_receipt(lane, b.ledger->receipt(incoming));
    ASSERT_TRUE(receipted.has_value()) << receipted.error().message;
  }

  FileSite a;
  FileSite b;
  InboxIndex inbox;
  LaneIndex lane;
  IncomingIndex incoming;
};

std::vector<std::int64_t> sum_of(FileSite& site) {
  std::vector<std::int64_t> all(std::size_t{3} * kTileElements);
  for (std::uint32_t tile = 0; tile < 3; ++tile) {
    site.ledger->read_sum(tile,
                          std::span(all).subspan(std::size_t{tile} * kTileElements, kTileElements));
  }
  all.resize(kElements);
  return all;
}

void expect_sound(FileSite& site) {
  const std::uint64_t passes = site.ledger->conservation().scrub_passes;
  while (site.ledger->conservation().scrub_passes == passes) {
    site.ledger->audit(1000);
  }
  EXPECT_EQ(site.ledger->conservation().defects, 0U);
  EXPECT_LE(site.ledger->bytes_used(), site.ledger->bytes_bound());
}

[[noreturn]] void child(const std::string& path, std::uint64_t seed, int ready) {
  Random random(seed);
  Both both(path);
  static_cast<void>(::write(ready, "r", 1));
  for (;;) {
    both.publish();
    both.a.ledger->merge_some(1 + static_cast<std::uint32_t>(random.below(4)));
    both.freeze(random);
    both.exchange();
    if (testing::Test::HasFailure()) {
      ::_exit(1);
    }
  }
}

TEST(Kill, SumsAreExactAfterAHundredKills) {
  const std::string path = "/dev/shm/godwit-kill-test-" + std::to_string(::getpid());
  const char* wanted = std::getenv("KILLS");
  const std::uint64_t rounds = wanted == nullptr ? 120 : std::strtoull(wanted, nullptr, 10);
  Random random(20);
  std::vector<std::int64_t> expected(kElements, 0);
  std::uint64_t known = 0;  // publishes in `expected`
  // How long a child lives, microseconds; longer where it gets to nothing (a sanitizer, a busy
  // machine).
  std::uint64_t life_max = 6'000;
  for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    int ready[2] = {-1, -1};
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      child(path, random.next() + round, ready[1]);
    }
    ::close(ready[1]);
    char byte = 0;
    // Every third child dies while it is still attaching, perhaps.
    if (round % 3 != 2) {
      ASSERT_EQ(::read(ready[0], &byte, 1), 1) << "the child failed";
    }
    ::close(ready[0]);
    ::usleep(static_cast<useconds_t>(random.below(life_max)));
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
    if (round % 2 == 1) {
      continue;  // the next child recovers
    }
    Both both(path);
    while (both.a.ledger->merge_some(100)) {
    }
    if (known == both.a.ledger->inbox(both.inbox).last_number && life_max < 200'000) {
      life_max *= 2;
    }
    for (; known < both.a.ledger->inbox(both.inbox).last_number; ++known) {
      const Numbered next = publish_of(known + 1);
      for (std::size_t e = 0; e < next.values.size(); ++e) {
        expected[next.first + e] += next.values[e];
      }
    }
    EXPECT_EQ(sum_of(both.a), expected) << "round " << round;
    expect_sound(both.a);
    expect_sound(both.b);
    if (round % 10 == 0) {
      for (int turn = 0; turn < 1000 && !both.a.ledger->drained(both.lane); ++turn) {
        both.freeze(random);
        both.exchange();
        for (std::uint32_t tile = 0; tile < 3; ++tile) {
          both.a.ledger->settle(both.lane, tile);
        }
      }
      EXPECT_EQ(sum_of(both.b), expected) << "round " << round;
    }
  }
  EXPECT_GT(known, rounds / 12) << "the children hardly published";
  std::printf("%llu kills, %llu publishes\n",
              static_cast<unsigned long long>(rounds),
              static_cast<unsigned long long>(known));
  ::unlink((path + "-a").c_str());
  ::unlink((path + "-b").c_str());
}

}  // namespace
}  // namespace godwit::ledger::test
