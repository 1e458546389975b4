#include "api/local/records.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "api/local/control_records.h"
#include "api/local/record_fields.h"
#include "api/local/transfer.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::local {
namespace {

// PublishData: the values are int64 quanta instead of float32.
constexpr std::uint16_t kFlagFixed = 1;
// PublishBegin: a step number follows.
constexpr std::uint16_t kFlagStep = 1;

std::uint16_t code_of(RecordType type) {
  return static_cast<std::uint16_t>(type);
}

// A head of fixed size being written; the sizes are this file's own, so running over is a mistake.
template <std::size_t kSize>
class Head {
 public:
  Head() : writer_(bytes_) {}
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  Head& u64(std::uint64_t value) {
    writer_.u64(value);
    return *this;
  }
  Head& u32(std::uint32_t value) {
    writer_.u32(value);
    return *this;
  }
  Head& topic(TopicHandle handle) { return u32(static_cast<std::uint32_t>(handle)); }
  std::span<const std::byte> done() const {
    GODWIT_ASSERT(writer_.ok() && writer_.size() == kSize);
    return bytes_;
  }

 private:
  std::array<std::byte, kSize> bytes_{};
  ByteWriter writer_;
};

// Reads a fixed head; afterwards `done()` says whether every byte was used and in range.
class HeadReader {
 public:
  explicit HeadReader(std::span<const std::byte> body) : reader_(body) {}
  std::uint64_t u64() { return reader_.u64(); }
  std::uint32_t u32() { return reader_.u32(); }
  TopicHandle topic() {
    const std::uint32_t handle = reader_.u32();
    in_range_ = in_range_ && handle < kTopicsPerClientMax;
    return TopicHandle{handle};
  }
  std::uint16_t lane() {
    const std::uint32_t lane = reader_.u32();
    in_range_ = in_range_ && lane < kLanesMax;
    return static_cast<std::uint16_t>(lane);
  }
  void expect(bool condition) { in_range_ = in_range_ && condition; }
  Duration duration() {
    const std::uint64_t ns = reader_.u64();
    expect(ns <= static_cast<std::uint64_t>(kLongestDeadline.count_ns()));
    return Duration::ns(static_cast<std::int64_t>(ns & std::numeric_limits<std::int64_t>::max()));
  }
  std::span<const std::byte> rest() { return reader_.bytes(reader_.remaining()); }
  bool done() const { return in_range_ && reader_.ok() && reader_.remaining() == 0; }

 private:
  ByteReader reader_;
  bool in_range_ = true;
};

// Views bytes that hold whole, aligned values.
template <class Value>
std::span<const Value> as_values(std::span<const std::byte> bytes) {
  const void* place = bytes.data();
  return {static_cast<const Value*>(place), bytes.size() / sizeof(Value)};
}

Result<ClientRecord> decode_seed_chunk(const RecordView& view) {
  HeadReader in(view.body);
  SeedChunk record;
  record.topic = in.topic();
  const std::uint32_t count = in.u32();
  record.first = in.u64();
  const auto values = in.rest();
  in.expect(values.size() == count * sizeof(float) && values.size() <= kValuesBytesMax);
  in.expect(is_range(record.first, count));
  if (!in.done() || !is_aligned(view.body)) {
    return corrupt("SeedChunk is malformed");
  }
  record.values = as_values<float>(values);
  return record;
}

Result<ClientRecord> decode_publish_begin(const RecordView& view) {
  HeadReader in(view.body);
  PublishBegin record;
  record.topic = in.topic();
  in.expect(in.u32() == 0);
  record.number = in.u64();
  const std::uint64_t step = in.u64();
  record.first = in.u64();
  record.count = in.u64();
  record.deadline = in.duration();
  const bool has_step = (view.flags & kFlagStep) != 0;
  in.expect(record.number >= 1 && is_range(record.first, record.count));
  in.expect(has_step || step == 0);
  if (!in.done()) {
    return corrupt("PublishBegin is malformed");
  }
  if (has_step && step == 0) {
    return corrupt("PublishBegin gives step 0; steps begin at 1");
  }
  if (has_step) {
    record.step = step;
  }
  return record;
}

Result<ClientRecord> decode_publish_data(const RecordView& view) {
  HeadReader in(view.body);
  PublishData record;
  record.topic = in.topic();
  const std::uint32_t count = in.u32();
  record.number = in.u64();
  record.first = in.u64();
  const auto values = in.rest();
  const bool fixed = (view.flags & kFlagFixed) != 0;
  const std::size_t width = fixed ? sizeof(std::int64_t) : sizeof(float);
  in.expect(values.size() == count * width && values.size() <= kValuesBytesMax);
  in.expect(is_range(record.first, count) && record.number >= 1);
  if (!in.done() || !is_aligned(view.body)) {
    return corrupt("PublishData is malformed");
  }
  if (fixed) {
    record.fixed = as_values<std::int64_t>(values);
  } else {
    record.values = as_values<float>(values);
  }
  return record;
}

Result<ClientRecord> decode_publish_commit(const RecordView& view) {
  HeadReader in(view.body);
  PublishCommit record;
  record.topic = in.topic();
  in.expect(in.u32() == 0);
  record.number = in.u64();
  in.expect(record.number >= 1);
  if (!in.done()) {
    return corrupt("PublishCommit is malformed");
  }
  return record;
}

Result<ClientRecord> decode_receipt(const RecordView& view) {
  HeadReader in(view.body);
  Receipt record;
  record.topic = in.topic();
  record.lane = in.lane();
  record.frontier = in.u64();
  if (!in.done()) {
    return corrupt("Receipt is malformed");
  }
  return record;
}

Result<ClientRecord> decode_tick(const RecordView& view) {
  HeadReader in(view.body);
  Tick record;
  record.topic = in.topic();
  in.expect(in.u32() == 0);
  record.clock = in.u64();
  in.expect(record.clock <= kClockMax);
  if (!in.done()) {
    return corrupt("Tick is malformed, or its clock above 2^48");
  }
  return record;
}

Result<ClientRecord> decode_watch_coverage(const RecordView& view) {
  HeadReader in(view.body);
  WatchCoverage record;
  record.topic = in.topic();
  in.expect(in.u32() == 0);
  if (!in.done()) {
    return corrupt("WatchCoverage is malformed");
  }
  return record;
}

Result<GatewayRecord> decode_safe(const RecordView& view) {
  HeadReader in(view.body);
  Safe record;
  record.topic = in.topic();
  in.expect(in.u32() == 0);
  record.number = in.u64();
  record.accepted = in.u64();
  if (!in.done()) {
    return corrupt("Safe is malformed");
  }
  return record;
}

Result<GatewayRecord> decode_duplicate(const RecordView& view) {
  HeadReader in(view.body);
  Duplicate record;
  record.topic = in.topic();
  in.expect(in.u32() == 0);
  record.number = in.u64();
  if (!in.done()) {
    return corrupt("Duplicate is malformed");
  }
  return record;
}

Result<GatewayRecord> decode_covered(const RecordView& view) {
  HeadReader in(view.body);
  Covered record;
  record.topic = in.topic();
  record.site = SiteId(in.u32());
  record.accepted = in.u64();
  if (!in.done()) {
    return corrupt("Covered is malformed");
  }
  return record;
}

}  // namespace

bool send(Channel& channel, const SeedChunk& record) {
  Head<16> head;
  head.topic(record.topic).u32(static_cast<std::uint32_t>(record.values.size())).u64(record.first);
  return channel.send(code_of(RecordType::kSeedChunk), head.done(), std::as_bytes(record.values));
}

bool send(Channel& channel, const PublishBegin& record) {
  Head<48> head;
  head.topic(record.topic).u32(0).u64(record.number).u64(record.step.value_or(0));
  head.u64(record.first).u64(record.count).u64(nanoseconds(record.deadline));
  const std::uint16_t flags = record.step ? kFlagStep : 0;
  return channel.send(code_of(RecordType::kPublishBegin), head.done(), {}, flags);
}

bool send(Channel& channel, const PublishData& record) {
  GODWIT_ASSERT(record.values.empty() != record.fixed.empty());
  const bool fixed = record.values.empty();
  const std::size_t count = fixed ? record.fixed.size() : record.values.size();
  Head<24> head;
  head.topic(record.topic).u32(static_cast<std::uint32_t>(count));
  head.u64(record.number).u64(record.first);
  return channel.send(code_of(RecordType::kPublishData),
                      head.done(),
                      fixed ? std::as_bytes(record.fixed) : std::as_bytes(record.values),
                      fixed ? kFlagFixed : std::uint16_t{0});
}

bool send(Channel& channel, const PublishCommit& record) {
  Head<16> head;
  head.topic(record.topic).u32(0).u64(record.number);
  return channel.send(code_of(RecordType::kPublishCommit), head.done());
}

bool send(Channel& channel, const Receipt& record) {
  Head<16> head;
  head.topic(record.topic).u32(record.lane).u64(record.frontier);
  return channel.send(code_of(RecordType::kReceipt), head.done());
}

bool send(Channel& channel, const Tick& record) {
  Head<16> head;
  head.topic(record.topic).u32(0).u64(record.clock);
  return channel.send(code_of(RecordType::kTick), head.done());
}

bool send(Channel& channel, const WatchCoverage& record) {
  Head<8> head;
  head.topic(record.topic).u32(0);
  return channel.send(code_of(RecordType::kWatchCoverage), head.done());
}

bool send(Channel& channel, const Goodbye&) {
  return channel.send(code_of(RecordType::kGoodbye), {});
}

bool send(Channel& channel, const Safe& record) {
  Head<24> head;
  head.topic(record.topic).u32(0).u64(record.number).u64(record.accepted);
  return channel.send(code_of(RecordType::kSafe), head.done());
}

bool send(Channel& channel, const Duplicate& record) {
  Head<16> head;
  head.topic(record.topic).u32(0).u64(record.number);
  return channel.send(code_of(RecordType::kDuplicate), head.done());
}

bool send(Channel& channel, const Covered& record) {
  Head<16> head;
  head.topic(record.topic).u32(record.site.value()).u64(record.accepted);
  return channel.send(code_of(RecordType::kCovered), head.done());
}

Result<ClientRecord> decode_client_record(const RecordView& view) {
  switch (static_cast<RecordType>(view.type)) {
    case RecordType::kHello:
      return decode_hello(view.body);
    case RecordType::kDeclare:
      return decode_declare(view.body);
    case RecordType::kSeedChunk:
      return decode_seed_chunk(view);
    case RecordType::kPublishBegin:
      return decode_publish_begin(view);
    case RecordType::kPublishData:
      return decode_publish_data(view);
    case RecordType::kPublishCommit:
      return decode_publish_commit(view);
    case RecordType::kSubscribe:
      return decode_subscribe(view.body);
    case RecordType::kReceipt:
      return decode_receipt(view);
    case RecordType::kTick:
      return decode_tick(view);
    case RecordType::kWaitClock:
      return decode_wait_clock(view.body);
    case RecordType::kWatchCoverage:
      return decode_watch_coverage(view);
    case RecordType::kGoodbye:
      if (!view.body.empty()) {
        return corrupt("Goodbye is malformed");
      }
      return Goodbye{};
    default:
      return fail(Code::kUnsupported, "record type {} is not one of a client's", view.type);
  }
}

Result<GatewayRecord> decode_gateway_record(const RecordView& view) {
  switch (static_cast<RecordType>(view.type)) {
    case RecordType::kWelcome:
      return decode_welcome(view.body);
    case RecordType::kDeclared:
      return decode_declared(view.body);
    case RecordType::kSafe:
      return decode_safe(view);
    case RecordType::kRefused:
      return decode_refused(view.body);
    case RecordType::kDuplicate:
      return decode_duplicate(view);
    case RecordType::kCovered:
      return decode_covered(view);
    case RecordType::kSubscribed:
      return decode_subscribed(view.body);
    case RecordType::kTransfer:
      return decode_transfer(view.body);
    case RecordType::kClockReached:
      return decode_clock_reached(view.body);
    case RecordType::kError:
      return decode_error(view.body);
    default:
      return fail(Code::kUnsupported, "record type {} is not one of a gateway's", view.type);
  }
}

}  // namespace godwit::local
