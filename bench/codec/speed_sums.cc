#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "bench/codec/speed.h"
#include "codec/codec.h"
#include "codec/kernels.h"
#include "codec/significance.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "dataplane/ledger/field_checksum.h"
#include "dataplane/ledger/ledger.h"
#include "dataplane/memory/mapping.h"

namespace godwit::bench_codec {
namespace {

using codec::kTileElements;
using ledger::kBlockElements;

constexpr int kFractionBits = 40;
constexpr std::size_t kElements = kPieces * kTileElements;

std::vector<float> floats(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(kElements);
  for (float& value : values) {
    value = static_cast<float>(random.uniform() - 0.5);
  }
  return values;
}

// A float32 publish into P: checked, rounded and added block by block, by way of after-images.
void race_merge(bool is_checked) {
  const auto deltas = floats(1);
  std::vector<std::int64_t> p(kElements, 1);
  std::vector<std::int64_t> fixed(kBlockElements);
  std::vector<std::int64_t> after(kBlockElements);
  const ledger::FieldChecksum checksum(TopicId::of("bench"), 0);
  std::uint64_t sum = 0;
  race(is_checked ? "merge_checked" : "merge",
       {kTileBytes,
        [&](std::size_t index) {
          for (std::size_t at = 0; at < kTileElements; at += kBlockElements) {
            const std::size_t first = index * kTileElements + at;
            const auto values = std::span(deltas).subspan(first, kBlockElements);
            const auto rounded =
                codec::to_fixed(values, kFractionBits, codec::kValueLimit / 3, fixed);
            GODWIT_ASSERT(rounded.ok());
            if (is_checked) {
              sum = ledger::field_add(
                  sum,
                  checksum.add(first / kBlockElements, p.data() + first, fixed, after.data())
                      .checksum);
            } else {
              ledger::add(p.data() + first, fixed, after.data());
            }
            std::memcpy(p.data() + first, after.data(), kBlockElements * sizeof(std::int64_t));
          }
        },
        [&](std::size_t index) {
          touch_pages(std::span(deltas).subspan(index * kTileElements, kTileElements));
          touch_pages(std::span(std::as_const(p)).subspan(index * kTileElements, kTileElements));
        }},
       copying(kTileBytes));
  GODWIT_ASSERT(!is_checked || sum != 0);
}

void race_scan() {
  const auto values = floats(2);
  const auto reference = floats(3);
  std::size_t significant = 0;
  race("scan",
       {kTileBytes,
        [&](std::size_t index) {
          const std::size_t at = index * kTileElements;
          const auto found = codec::scan(std::span(values).subspan(at, kTileElements),
                                         std::span(reference).subspan(at, kTileElements),
                                         0.01F,
                                         1.0F);
          significant += found.significant;
        },
        [&](std::size_t index) {
          const std::size_t at = index * kTileElements;
          touch_pages(std::span(values).subspan(at, kTileElements));
          touch_pages(std::span(reference).subspan(at, kTileElements));
        }},
       copying(kTileBytes));
  GODWIT_ASSERT(significant > 0);
}

// Decodes nothing: it is not asked to.
class NoDecoder final : public ledger::TileDecoder {
 public:
  Result<void> decode(std::uint8_t /*codec*/,
                      std::span<const std::byte> /*coded*/,
                      std::span<std::int64_t> /*out*/) override {
    return fail(Code::kUnsupported, "nothing is received here");
  }
};

// A ledger with so many lanes, and a publish of all of its elements to merge.
class Merging {
 public:
  explicit Merging(std::uint32_t lanes)
      : workspace_(decoder_),
        mapping_(memory::Mapping::anonymous(ledger::layout_bytes(shape())).value()),
        ledger_(ledger::Ledger::attach(mapping_, shape(), {1, 1}, workspace_).value()) {
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      const ledger::LaneKey key{
          .kind = ledger::LaneKind::kSite, .to = lane + 1, .to_incarnation = {1, 1}};
      GODWIT_ASSERT(ledger_->open_lane(key).has_value());
    }
    inbox_ = ledger_->open_inbox(PublisherId(1), {1, 1}).value();
    changes_.assign(kElements, 3);
    publish();
    merge_all();  // every page is touched
  }
  void publish() {
    GODWIT_ASSERT(ledger_
                      ->begin_publish(
                          inbox_, {.number = ++number_, .step = 0, .first = 0, .count = kElements})
                      .has_value());
    GODWIT_ASSERT(ledger_->stage(inbox_, 0, changes_).has_value());
    GODWIT_ASSERT(ledger_->commit_publish(inbox_).has_value());
  }
  Work work() {
    return {kTileBytes,
            [this](std::size_t) { ledger_->merge_some(ledger::kTileElements / kBlockElements); },
            [this](std::size_t index) {
              if (index % kPiecesPerRound == 0) {  // where the ledger has its pieces it knows alone
                touch_pages(std::span<const std::byte>(mapping_.bytes()));
              }
            }};
  }

 private:
  static ledger::Shape shape() {
    ledger::Shape shape;
    shape.topic = TopicId::of("bench");
    shape.site = SiteId::of("a");
    shape.element_count = kElements;
    return shape;
  }
  void merge_all() {
    while (ledger_->merge_some(1024)) {
    }
  }

  NoDecoder decoder_;
  ledger::Workspace workspace_;
  memory::Mapping mapping_;
  std::unique_ptr<ledger::Ledger> ledger_;
  ledger::InboxIndex inbox_{};
  std::vector<std::int64_t> changes_;
  std::uint64_t number_ = 0;
};

}  // namespace

void race_sums() {
  race_merge(false);
  race_merge(true);
  Merging one(1);
  Merging eight(8);
  one.publish();
  eight.publish();
  race("merge_8lanes", eight.work(), one.work());
  race_scan();
}

}  // namespace godwit::bench_codec
