#include "api/local/control_records.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "api/local/record_fields.h"
#include "api/proto/local.pb.h"
#include "dataplane/base/assert.h"

namespace godwit::local {
namespace {

namespace pb = godwit::local_channel;

// The largest code of Code; unknown ones of a later version read as kRefused.
constexpr auto kCodeMax = static_cast<std::uint32_t>(Code::kDuplicate);

template <class Message>
bool parse(Message& message, std::span<const std::byte> body) {
  return body.size() <= kControlBytesMax &&
         message.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

template <class Message>
bool transmit(Channel& channel, RecordType type, const Message& message) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): what is sent is written.
  std::array<std::byte, kControlBytesMax> bytes;
  const std::size_t size = message.ByteSizeLong();
  if (size > bytes.size() || size > channel.body_bytes_max()) {
    channel.break_with("control record too large for the ring");
    return false;
  }
  GODWIT_ASSERT(message.SerializeToArray(bytes.data(), static_cast<int>(size)));
  return channel.send(static_cast<std::uint16_t>(type), std::span(bytes).first(size));
}

template <class Names>
bool read_names(const Names& names, std::vector<std::string>& out) {
  if (static_cast<std::size_t>(names.size()) > kSitesMax) {
    return false;
  }
  out.assign(names.begin(), names.end());
  return std::all_of(
      out.begin(), out.end(), [](const std::string& n) { return !n.empty() && is_name(n); });
}

bool read_duration(std::uint64_t ns, Duration& out) {
  out = Duration::ns(static_cast<std::int64_t>(ns & 0x7fffffffffffffffU));
  return ns <= static_cast<std::uint64_t>(kLongestDeadline.count_ns());
}

// Which one of how many: `count` as is_shard_count(), where 0 stands for one.
bool is_part(std::uint32_t index, std::uint32_t count) {
  return count == 0 ? index == 0 : is_shard_count(count) && index < count;
}

bool is_within(double value, double max) {
  return value >= 0.0 && value <= max;
}

// Protobuf's strings must be UTF-8; what is not printable ASCII becomes '?'. Cut to the limit.
std::string text_of(std::string_view text) {
  std::string out(text.substr(0, kTextBytesMax));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out;
}

Code read_code(std::uint32_t code) {
  return code <= kCodeMax ? static_cast<Code>(code) : Code::kRefused;
}

std::uint32_t handle_of(TopicHandle handle) {
  return static_cast<std::uint32_t>(handle);
}

}  // namespace

Result<ClientRecord> decode_hello(std::span<const std::byte> body) {
  pb::Hello message;
  if (!parse(message, body) || !is_name(message.client_name()) || message.version_min() < 1 ||
      message.version_min() > message.version_max() || message.version_max() > 65535) {
    return corrupt("Hello is malformed");
  }
  return Hello{.client_name = message.client_name(),
               .publisher = PublisherId(message.publisher()),
               .incarnation = Incarnation::from_packed(message.incarnation()),
               .version_min = message.version_min(),
               .version_max = message.version_max()};
}

Result<ClientRecord> decode_declare(std::span<const std::byte> body) {
  pb::Declare message;
  Declare record;
  if (!parse(message, body) || message.handle() >= kTopicsPerClientMax || message.topic().empty() ||
      !is_name(message.topic()) || !is_name(message.tenant()) ||
      !is_name(message.service_class()) || message.element_count() < 1 ||
      message.element_count() > kElementsMax || message.fraction_bits() > kFractionBitsMax ||
      !is_within(message.tolerance(), kToleranceMax) ||
      !read_names(message.allowed_sites(), record.allowed_sites) ||
      !read_duration(message.deadline_ns(), record.deadline) ||
      !is_within(message.significance().threshold(), kThresholdMax) ||
      !is_part(message.shard(), message.shards())) {
    return corrupt("Declare is malformed");
  }
  record.handle = TopicHandle{message.handle()};
  record.topic = message.topic();
  record.element_count = message.element_count();
  record.fraction_bits = message.fraction_bits();
  record.tolerance = message.tolerance();
  record.tenant = message.tenant();
  record.service_class = message.service_class();
  if (message.has_significance() && message.significance().threshold() > 0.0) {
    record.significance.kind = SignificanceFilter::Kind::kRelative;
    record.significance.threshold = message.significance().threshold();
    record.significance.decays_with_clock = message.significance().decays_with_clock();
  }
  record.has_seed = message.has_seed();
  record.seed_hash = message.seed_hash();
  record.shards = std::max(1U, message.shards());
  record.shard = message.shard();
  if (message.has_replaces()) {
    record.replaces = Incarnation::from_packed(message.replaces());
  }
  if (message.has_unanswered()) {
    const pb::Unanswered& unanswered = message.unanswered();
    record.unanswered = {.until = unanswered.until(),
                         .incarnation = Incarnation::from_packed(unanswered.incarnation()),
                         .publishers_forgotten = unanswered.publishers_forgotten()};
  }
  return record;
}

Result<ClientRecord> decode_subscribe(std::span<const std::byte> body) {
  pb::Subscribe message;
  if (!parse(message, body) || message.handle() >= kTopicsPerClientMax ||
      static_cast<std::size_t>(message.frontiers_size()) > kLanesMax) {
    return corrupt("Subscribe is malformed");
  }
  Subscribe record{.topic = TopicHandle{message.handle()},
                   .subscriber = SubscriberId(message.subscriber()),
                   .incarnation = Incarnation::from_packed(message.incarnation()),
                   .from = Incarnation::from_packed(message.from_incarnation()),
                   .resume = {},
                   .may_be_refused = message.may_be_refused()};
  for (const auto& lane : message.frontiers()) {
    if (lane.lane() >= kLanesMax ||
        (!record.resume.empty() && lane.lane() <= record.resume.back().lane)) {
      return corrupt("Subscribe names lanes out of order");
    }
    record.resume.push_back({static_cast<std::uint16_t>(lane.lane()), lane.frontier()});
  }
  return record;
}

Result<ClientRecord> decode_wait_clock(std::span<const std::byte> body) {
  pb::WaitClock message;
  WaitClock record;
  if (!parse(message, body) || message.handle() >= kTopicsPerClientMax ||
      !read_duration(message.deadline_ns(), record.deadline)) {
    return corrupt("WaitClock is malformed");
  }
  record.topic = TopicHandle{message.handle()};
  record.request = message.request();
  record.min_clock = message.min_clock();
  return record;
}

Result<GatewayRecord> decode_welcome(std::span<const std::byte> body) {
  pb::Welcome message;
  Welcome record;
  if (!parse(message, body) || message.site().empty() || !is_name(message.site()) ||
      !read_names(message.sites(), record.sites) || !is_part(message.worker(), message.workers())) {
    return corrupt("Welcome is malformed");
  }
  record.version = message.version();
  record.gateway = Incarnation::from_packed(message.gateway_incarnation());
  record.site = message.site();
  record.workers = message.workers();
  record.worker = message.worker();
  return record;
}

Result<GatewayRecord> decode_declared(std::span<const std::byte> body) {
  pb::Declared message;
  Declared record;
  if (!parse(message, body) || message.handle() >= kTopicsPerClientMax ||
      message.error().size() > kTextBytesMax || !read_names(message.sites(), record.sites)) {
    return corrupt("Declared is malformed");
  }
  record.handle = TopicHandle{message.handle()};
  record.error = message.error();
  record.code = read_code(message.code());
  record.seed_wanted = message.seed_wanted();
  record.memory_bound = message.memory_bound();
  record.incarnation = Incarnation::from_packed(message.incarnation());
  record.publisher_before = Incarnation::from_packed(message.publisher_before());
  record.publishers_forgotten = message.publishers_forgotten();
  return record;
}

Result<GatewayRecord> decode_refused(std::span<const std::byte> body) {
  pb::Refused message;
  if (!parse(message, body) || message.handle() >= kTopicsPerClientMax ||
      message.text().size() > kTextBytesMax) {
    return corrupt("Refused is malformed");
  }
  return Refused{.topic = TopicHandle{message.handle()},
                 .number = message.number(),
                 .code = read_code(message.code()),
                 .element = message.has_element() ? message.element() : kNoElement,
                 .text = message.text()};
}

Result<GatewayRecord> decode_subscribed(std::span<const std::byte> body) {
  pb::Subscribed message;
  if (!parse(message, body) || message.handle() >= kTopicsPerClientMax ||
      message.error().size() > kTextBytesMax) {
    return corrupt("Subscribed is malformed");
  }
  return Subscribed{.topic = TopicHandle{message.handle()},
                    .from = Incarnation::from_packed(message.from_incarnation()),
                    .resumed = message.resumed(),
                    .code = read_code(message.code()),
                    .error = message.error()};
}

Result<GatewayRecord> decode_clock_reached(std::span<const std::byte> body) {
  pb::ClockReached message;
  ClockReached record;
  if (!parse(message, body) || !read_names(message.missing(), record.missing)) {
    return corrupt("ClockReached is malformed");
  }
  record.request = message.request();
  return record;
}

Result<GatewayRecord> decode_error(std::span<const std::byte> body) {
  pb::Error message;
  if (!parse(message, body) || message.text().size() > kTextBytesMax) {
    return corrupt("Error is malformed");
  }
  return ErrorRecord{.code = read_code(message.code()), .text = message.text()};
}

bool send(Channel& channel, const Hello& record) {
  pb::Hello message;
  message.set_version_min(record.version_min);
  message.set_version_max(record.version_max);
  message.set_client_name(record.client_name);
  message.set_publisher(record.publisher.value());
  message.set_incarnation(record.incarnation.packed());
  return transmit(channel, RecordType::kHello, message);
}

bool send(Channel& channel, const Declare& record) {
  pb::Declare message;
  message.set_handle(handle_of(record.handle));
  message.set_topic(record.topic);
  message.set_element_count(record.element_count);
  message.set_fraction_bits(record.fraction_bits);
  message.set_tolerance(record.tolerance);
  message.set_tenant(record.tenant);
  message.set_service_class(record.service_class);
  message.mutable_allowed_sites()->Assign(record.allowed_sites.begin(), record.allowed_sites.end());
  message.set_deadline_ns(nanoseconds(record.deadline));
  if (record.significance.kind == SignificanceFilter::Kind::kRelative) {
    message.mutable_significance()->set_threshold(record.significance.threshold);
    message.mutable_significance()->set_decays_with_clock(record.significance.decays_with_clock);
  }
  message.set_has_seed(record.has_seed);
  message.set_seed_hash(record.seed_hash);
  if (record.shards > 1) {  // of one, the bytes of those who know no shards
    message.set_shards(record.shards);
    message.set_shard(record.shard);
  }
  if (record.replaces) {
    message.set_replaces(record.replaces->packed());
  }
  if (record.unanswered) {
    pb::Unanswered& unanswered = *message.mutable_unanswered();
    unanswered.set_until(record.unanswered->until);
    unanswered.set_incarnation(record.unanswered->incarnation.packed());
    unanswered.set_publishers_forgotten(record.unanswered->publishers_forgotten);
  }
  return transmit(channel, RecordType::kDeclare, message);
}

bool send(Channel& channel, const Subscribe& record) {
  pb::Subscribe message;
  message.set_handle(handle_of(record.topic));
  message.set_subscriber(record.subscriber.value());
  message.set_incarnation(record.incarnation.packed());
  message.set_from_incarnation(record.from.packed());
  message.set_may_be_refused(record.may_be_refused);
  for (const LaneFrontier& lane : record.resume) {
    auto* const frontier = message.add_frontiers();
    frontier->set_lane(lane.lane);
    frontier->set_frontier(lane.frontier);
  }
  return transmit(channel, RecordType::kSubscribe, message);
}

bool send(Channel& channel, const WaitClock& record) {
  pb::WaitClock message;
  message.set_handle(handle_of(record.topic));
  message.set_request(record.request);
  message.set_min_clock(record.min_clock);
  message.set_deadline_ns(nanoseconds(record.deadline));
  return transmit(channel, RecordType::kWaitClock, message);
}

bool send(Channel& channel, const Welcome& record) {
  pb::Welcome message;
  message.set_version(record.version);
  message.set_gateway_incarnation(record.gateway.packed());
  message.set_site(record.site);
  message.mutable_sites()->Assign(record.sites.begin(), record.sites.end());
  message.set_workers(record.workers);
  message.set_worker(record.worker);
  return transmit(channel, RecordType::kWelcome, message);
}

bool send(Channel& channel, const Declared& record) {
  pb::Declared message;
  message.set_handle(handle_of(record.handle));
  message.set_code(static_cast<std::uint32_t>(record.code));
  message.set_error(text_of(record.error));
  message.set_seed_wanted(record.seed_wanted);
  message.set_memory_bound(record.memory_bound);
  message.set_incarnation(record.incarnation.packed());
  message.set_publisher_before(record.publisher_before.packed());
  message.set_publishers_forgotten(record.publishers_forgotten);
  message.mutable_sites()->Assign(record.sites.begin(), record.sites.end());
  return transmit(channel, RecordType::kDeclared, message);
}

bool send(Channel& channel, const Refused& record) {
  pb::Refused message;
  message.set_handle(handle_of(record.topic));
  message.set_number(record.number);
  message.set_code(static_cast<std::uint32_t>(record.code));
  message.set_has_element(record.element != kNoElement);
  message.set_element(record.element != kNoElement ? record.element : 0);
  message.set_text(text_of(record.text));
  return transmit(channel, RecordType::kRefused, message);
}

bool send(Channel& channel, const Subscribed& record) {
  pb::Subscribed message;
  message.set_handle(handle_of(record.topic));
  message.set_from_incarnation(record.from.packed());
  message.set_resumed(record.resumed);
  message.set_code(static_cast<std::uint32_t>(record.code));
  message.set_error(text_of(record.error));
  return transmit(channel, RecordType::kSubscribed, message);
}

bool send(Channel& channel, const ClockReached& record) {
  pb::ClockReached message;
  message.set_request(record.request);
  message.mutable_missing()->Assign(record.missing.begin(), record.missing.end());
  return transmit(channel, RecordType::kClockReached, message);
}

bool send(Channel& channel, const ErrorRecord& record) {
  pb::Error message;
  message.set_code(static_cast<std::uint32_t>(record.code));
  message.set_text(text_of(record.text));
  return transmit(channel, RecordType::kError, message);
}

}  // namespace godwit::local
