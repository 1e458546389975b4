#include "bench/training/lane.h"

#include <algorithm>

#include "api/cli/codec_bench/budgets.h"
#include "codec/kernels.h"
#include "dataplane/base/assert.h"
#include "dataplane/wire/transfer.h"

namespace godwit::bench_training {
namespace {

using codec::kTileElements;

constexpr int kFractionBits = codec_bench::kTopicFractionBits;
constexpr auto kChangeMax = codec::kValueLimit / std::int64_t{kPublishesMax};

void add(std::span<const std::int64_t> values, std::span<std::int64_t> sums) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i] += values[i];
  }
}

void subtract(std::span<const std::int64_t> values, std::span<std::int64_t> sums) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i] -= values[i];
  }
}

}  // namespace

Lane::Lane(std::size_t elements) : published_(elements), decoded_(elements) {
  tiles_.file_count = elements;
  tiles_.count = elements;
  for (std::uint64_t first = 0; first < elements; first += kTileElements) {
    tiles_.tiles.push_back(first);
  }
  open_.fraction_bits = kFractionBits;
  open_.values.resize(elements);
}

Result<void> Lane::publish(std::span<const float> change) {
  std::vector<std::int64_t> quanta(open_.values.size());
  const auto rounded = codec::to_fixed(change, kFractionBits, kChangeMax, quanta);
  if (!rounded.ok()) {
    return fail(Code::kInvalid,
                "element {} changes by {}, which a topic does not take",
                rounded.rejected->index,
                rounded.rejected->value);
  }
  change_energy_ = codec::energy(quanta);
  add(quanta, published_);
  add(quanta, open_.values);
  return {};
}

std::size_t Lane::send(std::size_t bytes, std::span<std::int64_t> sums) {
  const codec_bench::Budgets budgets(tiles_, open_);
  const std::vector<std::size_t> shares = budgets.by_slope(bytes);
  std::vector<std::byte> coded(codec::coded_bytes_max(kTileElements));
  std::vector<std::int64_t> integers(kTileElements);
  std::size_t sent = 0;
  std::size_t allowed = 0;  // up to this tile: what one leaves of its bytes is the next one's
  for (std::size_t tile = 0; tile < tiles_.tiles.size(); ++tile) {
    allowed += shares[tile];
    if (allowed <= sent + wire::kTileRecordBytes) {
      continue;
    }
    const std::size_t first = tile * kTileElements;
    const auto part = std::span(integers).first(tiles_.elements_of(tile));
    const auto open = std::span(open_.values).subspan(first, part.size());
    encoder_.load(open);
    const auto done =
        encoder_.encode({.bytes = allowed - sent - wire::kTileRecordBytes}, coded, part);
    if (done.energy_after >= done.energy_before) {
      continue;  // nothing left, and a tile of which nothing is sent has no record
    }
    subtract(part, open);
    const auto code = std::span(coded).first(done.bytes);
    GODWIT_ASSERT(decoder_.decode(done.id, code, part).has_value());
    add(part, sums.subspan(first, part.size()));
    add(part, std::span(decoded_).subspan(first, part.size()));
    sent += done.bytes + wire::tile_record_bytes(static_cast<std::uint32_t>(tile),
                                                 static_cast<std::uint32_t>(done.bytes),
                                                 wire::kFlagShortRecords);
  }
  return sent;
}

void Lane::send_uncoded(std::span<std::int64_t> sums) {
  add(open_.values, sums);
  add(open_.values, decoded_);
  std::fill(open_.values.begin(), open_.values.end(), 0);
}

void Lane::drop() {
  subtract(open_.values, published_);
  std::fill(open_.values.begin(), open_.values.end(), 0);
}

double Lane::open_energy() const {
  return codec::energy(open_.values);
}

std::uint64_t Lane::defect() const {
  std::uint64_t defect = 0;
  for (std::size_t i = 0; i < published_.size(); ++i) {
    const std::int64_t difference = published_[i] - decoded_[i] - open_.values[i];
    defect += static_cast<std::uint64_t>(difference < 0 ? -difference : difference);
  }
  return defect;
}

}  // namespace godwit::bench_training
