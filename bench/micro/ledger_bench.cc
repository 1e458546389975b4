// What exactness costs: staging, merging, freezing, applying and checksums beside memcpy and a
// naive addition, measured in alternating pairs.
//
// usage: ledger_bench
// One JSON line per figure: {"name","value","unit","reference","reference_value","ratio","p25",
// "p75","runs"}; `ratio` is the median over pairs of value / reference_value. Values are GB/s of
// int64 elements (8 bytes each); divide by two for fp32-equivalents. Data come from memory, another
// place each time.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "dataplane/base/system_time.h"
#include "dataplane/ledger/field_checksum.h"
#include "dataplane/ledger/ledger.h"
#include "dataplane/memory/mapping.h"
#include "dataplane/wire/transfer.h"

namespace {

using godwit::ledger::kBlockBytes;
using godwit::ledger::kBlockElements;
using godwit::ledger::kTileBytes;
using godwit::ledger::kTileElements;
using godwit::ledger::Ledger;

constexpr std::uint32_t kArrayTiles = 256;  // 64 MiB, more than any cache here
constexpr std::size_t kArrayElements = std::size_t{kArrayTiles} * kTileElements;
constexpr int kPairs = 60;

// Decodes nothing: the integers are prepared, so that applying is measured without a codec.
class Prepared final : public godwit::ledger::TileDecoder {
 public:
  godwit::Result<void> decode(std::uint8_t /*codec*/,
                              std::span<const std::byte> /*coded*/,
                              std::span<std::int64_t> out) override {
    std::memcpy(out.data(), integers.data(), kTileBytes);
    return {};
  }
  std::vector<std::int64_t> integers = std::vector<std::int64_t>(kTileElements, 3);
};

double gigabytes_per_second(std::size_t bytes, const std::function<void()>& work) {
  const auto begin = godwit::system_now();
  work();
  const auto taken = godwit::system_now() - begin;
  return static_cast<double>(bytes) /
         static_cast<double>(std::max<std::int64_t>(taken.count_ns(), 1));
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

struct Work {
  const char* name;
  std::size_t bytes;
  std::function<void(int)> prepare;
  std::function<void(int)> run;
};

void compare(const Work& subject, const Work& reference) {
  std::vector<double> values;
  std::vector<double> references;
  std::vector<double> ratios;
  for (int i = 0; i < kPairs; ++i) {
    subject.prepare(i);
    values.push_back(gigabytes_per_second(subject.bytes, [&] { subject.run(i); }));
    reference.prepare(i);
    references.push_back(gigabytes_per_second(reference.bytes, [&] { reference.run(i); }));
    ratios.push_back(values.back() / references.back());
  }
  std::printf(
      "{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"GB/s\",\"reference\":\"%s\","
      "\"reference_value\":%.3f,\"ratio\":%.3f,\"p25\":%.3f,\"p75\":%.3f,\"runs\":%d}\n",
      subject.name,
      quantile(values, 0.5),
      reference.name,
      quantile(references, 0.5),
      quantile(ratios, 0.5),
      quantile(ratios, 0.25),
      quantile(ratios, 0.75),
      kPairs);
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): one figure after the other, on one ledger.
int main() {
  godwit::ledger::Shape shape;
  shape.topic = godwit::TopicId::of("bench");
  shape.site = godwit::SiteId::of("a");
  shape.element_count = kArrayElements;
  Prepared decoder;
  godwit::ledger::Workspace workspace(decoder);
  auto mapping = godwit::memory::Mapping::anonymous(godwit::ledger::layout_bytes(shape)).value();
  auto ledger = Ledger::attach(mapping, shape, {1, 1}, workspace).value();
  godwit::ledger::Shape peer_shape = shape;
  peer_shape.site = godwit::SiteId::of("b");
  auto peer_mapping =
      godwit::memory::Mapping::anonymous(godwit::ledger::layout_bytes(peer_shape)).value();
  auto peer = Ledger::attach(peer_mapping, peer_shape, {1, 2}, workspace).value();
  const auto lane = ledger
                        ->open_lane({.kind = godwit::ledger::LaneKind::kSite,
                                     .to = peer_shape.site.value(),
                                     .to_incarnation = peer->incarnation()})
                        .value();
  const auto incoming =
      peer->open_incoming(shape.site, ledger->incarnation(), peer->incarnation()).value();
  const auto inbox = ledger->open_inbox(godwit::PublisherId(1), {1, 1}).value();

  godwit::Random random(1);
  std::vector<std::int64_t> from(kArrayElements);
  for (std::int64_t& value : from) {
    value = static_cast<std::int64_t>(random.below(1U << 30U)) - (1 << 29);
  }
  std::vector<std::int64_t> to(kArrayElements, 1);
  const auto tile_of = [&from](int i) {
    return std::span<const std::int64_t>(from).subspan(
        (static_cast<std::size_t>(i) * 7 % kArrayTiles) * kTileElements, kTileElements);
  };
  const auto home_of = [&to](int i) {
    return std::span(to).subspan((static_cast<std::size_t>(i) * 11 % kArrayTiles) * kTileElements,
                                 kTileElements);
  };
  const auto nothing = [](int) {};
  const Work copy = {"memcpy_per_128_KiB", kTileBytes, nothing, [&](int i) {
                       for (std::size_t at = 0; at < kTileElements; at += 16'384) {
                         std::memcpy(home_of(i).data() + at, tile_of(i).data() + at, 131'072);
                       }
                     }};
  const Work naive = {"naive_add", kTileBytes, nothing, [&](int i) {
                        auto home = home_of(i);
                        const auto delta = tile_of(i);
                        for (std::size_t e = 0; e < kTileElements; ++e) {
                          home[e] += delta[e];
                        }
                      }};

  // One long publish, merged a tile at a time: its staging has left the caches by then.
  std::uint64_t number = 0;
  const auto publish_all = [&] {
    while (ledger->merge_some(1024)) {
    }
    GODWIT_ASSERT(
        ledger
            ->begin_publish(inbox,
                            {.number = ++number, .step = 0, .first = 0, .count = kArrayElements})
            .has_value());
    GODWIT_ASSERT(ledger->stage(inbox, 0, from).has_value());
    GODWIT_ASSERT(ledger->commit_publish(inbox).has_value());
  };
  publish_all();  // touches every page once
  publish_all();
  const Work merge = {"ledger_merge", kTileBytes, nothing, [&](int) {
                        ledger->merge_some(godwit::ledger::kTileBlocks);
                      }};
  compare(merge, naive);
  publish_all();
  compare(merge, copy);
  while (ledger->merge_some(1024)) {
  }

  const Work stage = {
      "ledger_stage",
      kTileBytes,
      [&](int i) {
        const auto first = static_cast<std::uint64_t>(i) * 7 % kArrayTiles * kTileElements;
        static_cast<void>(ledger->begin_publish(
            inbox, {.number = number + 1, .step = 0, .first = first, .count = kTileElements}));
      },
      [&](int i) {
        const auto first = static_cast<std::uint64_t>(i) * 7 % kArrayTiles * kTileElements;
        static_cast<void>(ledger->stage(inbox, first, tile_of(i)));
      }};
  compare(stage, copy);
  ledger->abandon_publish(inbox);

  const godwit::ledger::FieldChecksum checksum(shape.topic, 0);
  volatile std::uint64_t sink = 0;
  const Work sum = {"ledger_checksum", kTileBytes, nothing, [&](int i) {
                      sink = sink + checksum.of_tile(0, tile_of(i));
                    }};
  compare(sum, copy);

  const auto tile_index = [](int i) { return static_cast<std::uint32_t>(i * 7) % kArrayTiles; };
  std::vector<std::int64_t> open(kTileElements);
  const Work read = {"ledger_read_open", kTileBytes, nothing, [&](int i) {
                       ledger->read_open(lane, tile_index(i), open);
                     }};
  const std::vector<std::byte> coded(800);  // about 0.2 bit per element
  const Work freeze = {
      "ledger_freeze",
      kTileBytes,
      [&](int) { GODWIT_ASSERT(ledger->begin_transfer(lane, {}).has_value()); },
      [&](int i) {
        static_cast<void>(ledger->append(lane, tile_index(i), 0, coded, decoder.integers, 1));
        static_cast<void>(ledger->seal(lane));
      }};
  compare(freeze, copy);
  compare(read, copy);
  const Work apply = {"ledger_apply", kTileBytes, nothing, [&](int i) {
                        const auto k = static_cast<std::uint64_t>(i) + 1;
                        const auto view =
                            godwit::wire::parse_transfer(ledger->frozen(lane, k), kArrayTiles);
                        GODWIT_ASSERT(view.has_value());
                        GODWIT_ASSERT(peer->apply(incoming, *view).has_value());
                      }};
  compare(apply, copy);
  GODWIT_ASSERT(ledger->conservation().defects == 0 && peer->conservation().defects == 0);
  return 0;
}
