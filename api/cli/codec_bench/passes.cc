#include "api/cli/codec_bench/passes.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <optional>

#include "codec/catalog.h"
#include "codec/xh/snapshot.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/system_time.h"

namespace godwit::codec_bench {
namespace {

namespace xh = codec::xh;
using tensor::ElementType;

// Processor seconds since the last lap, or since it was made: who else computes does not count.
class Stopwatch {
 public:
  double lap() {
    const Instant now = system_thread_time();
    const double seconds = static_cast<double>((now - last_).count_ns()) * 1e-9;
    last_ = now;
    return seconds;
  }

 private:
  Instant last_ = system_thread_time();
};

codec::Id id_of(Subject subject) {
  switch (subject) {
    case Subject::kBpc:
      return codec::Id::kBpc;
    case Subject::kSparseList:
      return codec::Id::kSparseList;
    case Subject::kRow:
      return codec::Id::kRow;
    case Subject::kQ4:
      return codec::Id::kQ4;
    case Subject::kQ8:
      return codec::Id::kQ8;
    case Subject::kXh:
      return codec::Id::kXh;
    case Subject::kRaw:
      break;
  }
  return codec::Id::kRaw;
}

// XH keeps every bit, so unsigned integers go as signed ones of their width.
std::optional<xh::Type> xh_type_of(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return xh::Type::kFloat32;
    case ElementType::kFloat16:
      return xh::Type::kFloat16;
    case ElementType::kBfloat16:
      return xh::Type::kBfloat16;
    case ElementType::kInt8:
    case ElementType::kUint8:
      return xh::Type::kInt8;
    case ElementType::kInt16:
    case ElementType::kUint16:
      return xh::Type::kInt16;
    case ElementType::kInt32:
    case ElementType::kUint32:
      return xh::Type::kInt32;
    case ElementType::kInt64:
      return xh::Type::kInt64;
    case ElementType::kFloat64:
      break;
  }
  return std::nullopt;
}

}  // namespace

Passes::Passes(const Sample& sample, const Quanta& quanta)
    : sample_(sample),
      quanta_(quanta),
      coded_(codec::coded_bytes_max(codec::kTileElements)),
      removed_(codec::kTileElements),
      decoded_(codec::kTileElements),
      own_(codec::kTileElements),
      copy_(sample.bytes.size()) {
  for (const codec::Entry& entry : codec::catalog()) {
    const auto id = static_cast<std::size_t>(entry.id);
    encoders_.resize(std::max(encoders_.size(), id + 1));
    encoders_[id] = entry.make_encoder();
  }
}

codec::TileEncoder& Passes::encoder_of(Subject subject) {
  return *encoders_.at(static_cast<std::size_t>(id_of(subject)));
}

Accuracy Passes::check(Subject subject, std::span<const std::size_t> budgets) {
  codec::TileEncoder& encoder = encoder_of(subject);
  const double quantum = std::ldexp(1.0, -quanta_.fraction_bits);
  Accuracy accuracy;
  double left = 0;
  for (std::size_t tile = 0; tile < sample_.tiles.size(); ++tile) {
    const std::size_t count = sample_.elements_of(tile);
    const auto decoded = std::span(decoded_).first(count);
    std::fill(decoded.begin(), decoded.end(), 0);
    if (budgets[tile] > 0) {
      const auto removed = std::span(removed_).first(count);
      encoder.load(quanta_.tile(tile, count));
      const codec::Encoded done = encoder.encode({.bytes = budgets[tile]}, coded_, removed);
      GODWIT_ASSERT(done.bytes <= std::max(budgets[tile], std::size_t{1}), "a budget is kept");
      if (done.bytes > 0) {
        const auto code = std::span(coded_).first(done.bytes);
        GODWIT_ASSERT(decoder_.decode(done.id, code, decoded), "a code of our own is decoded");
        GODWIT_ASSERT(std::equal(decoded.begin(), decoded.end(), removed.begin()),
                      "both ends have the same integers");
      }
      accuracy.bytes += done.bytes;
    }
    sample_.values_of(tile, own_);
    for (std::size_t i = 0; i < count; ++i) {
      const double rest = own_[i] - static_cast<double>(decoded[i]) * quantum;
      left += rest * rest;
    }
  }
  accuracy.error = quanta_.energy == 0 ? 0 : std::sqrt(left / quanta_.energy);
  return accuracy;
}

void Passes::time(Subject subject, std::span<const std::size_t> budgets, Pass& pass) {
  codec::TileEncoder& encoder = encoder_of(subject);
  std::size_t first = 0;
  for (std::size_t tile = 0; tile < sample_.tiles.size(); ++tile) {
    const std::size_t count = sample_.elements_of(tile);
    const auto values = quanta_.tile(tile, count);
    if (budgets[tile] > 0) {
      Stopwatch watch;
      encoder.load(values);
      const codec::Encoded done =
          encoder.encode({.bytes = budgets[tile]}, coded_, std::span(removed_).first(count));
      pass.encode_seconds += watch.lap();
      if (done.bytes > 0) {
        const auto decoded = decoder_.decode(
            done.id, std::span(coded_).first(done.bytes), std::span(decoded_).first(count));
        GODWIT_ASSERT(decoded.has_value());
      }
      pass.decode_seconds += watch.lap();
      pass.values += count;
    }
    const std::size_t bytes = sample_.bytes_of(tile).size();
    copy(first, bytes, pass);
    first += bytes;
  }
}

void Passes::copy(std::size_t first, std::size_t bytes, Pass& pass) {
  Stopwatch watch;
  std::memcpy(copy_.data() + first, sample_.bytes.data() + first, bytes);
  // The copy is as good as read by somebody.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  pass.copy_seconds += watch.lap();
  pass.copied += bytes;
}

bool Passes::has_xh() const {
  return xh_type_of(sample_.type).has_value();
}

std::uint64_t Passes::check_xh() {
  const xh::Type type = xh_type_of(sample_.type).value();
  const std::size_t width = xh::bytes_of(type);
  const std::vector<std::byte> file = xh::write_snapshot(type, sample_.bytes, {});
  const auto snapshot = xh::Snapshot::open(file);
  GODWIT_ASSERT(snapshot && snapshot->elements() == sample_.count);
  for (std::size_t chunk = 0; chunk < snapshot->chunks(); ++chunk) {
    const auto out = std::span(copy_).subspan(snapshot->first_of(chunk) * width,
                                              snapshot->elements_of(chunk) * width);
    GODWIT_ASSERT(snapshot->read(chunk, {}, xh_decoder_, out), "a snapshot of our own is read");
  }
  GODWIT_ASSERT(copy_ == sample_.bytes, "XH keeps every bit");
  return file.size();
}

void Passes::time_xh(Pass& pass) {
  const xh::Type type = xh_type_of(sample_.type).value();
  const std::size_t width = xh::bytes_of(type);
  xh_code_.resize(xh::chunk_bytes_max(type, xh::kChunkElements));
  for (std::size_t first = 0; first < sample_.count; first += xh::kChunkElements) {
    const std::size_t bytes = std::min(xh::kChunkElements, sample_.count - first) * width;
    const auto values = std::span(sample_.bytes).subspan(first * width, bytes);
    const auto decoded = std::span(copy_).subspan(first * width, bytes);
    Stopwatch watch;
    const std::size_t size = xh_encoder_.encode(type, values, {}, xh_code_);
    pass.encode_seconds += watch.lap();
    const auto done = xh_decoder_.decode(type, std::span(xh_code_).first(size), {}, decoded);
    GODWIT_ASSERT(done.has_value());
    pass.decode_seconds += watch.lap();
    pass.values += bytes / width;
    copy(first * width, bytes, pass);
  }
}

}  // namespace godwit::codec_bench
