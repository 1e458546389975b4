#include "api/gateway/client_session.h"

#include <algorithm>

#include <fmt/format.h>

#include "dataplane/base/crash_point.h"
#include "dataplane/base/log.h"

namespace godwit::gateway {
namespace {

// Records of one client per turn: at most 1 MiB, about 1 ms, so that clients and links take turns.
constexpr int kRecordsPerTurn = 4;
// From connecting to Hello, which a client sends at once; who is silent takes a place. Chosen.
constexpr Duration kGreetingTime = Duration::seconds(10);
// Answers that wait for a client who does not read; beyond it the client is ended. Chosen.
constexpr std::size_t kOutboxMax = 65536;
// Clocks that are reached and wait for the client to take the changes that belong to them. Chosen.
constexpr std::size_t kClockRepliesMax = 4096;

ClientRefusal refusal_of(Code code) {
  switch (code) {
    case Code::kInvalid:
    case Code::kCorrupt:
      return ClientRefusal::kProtocol;
    case Code::kFull:
      return ClientRefusal::kLimit;
    case Code::kUnsupported:
      return ClientRefusal::kVersion;
    default:
      return ClientRefusal::kOther;
  }
}

}  // namespace

bool ClientSession::on_turn(Instant now) {
  while (!outbox_.empty() && outbox_.front()(channel_)) {
    outbox_.pop_front();
  }
  if (outbox_.size() > kOutboxMax) {
    refusal_ = ClientRefusal::kLimit;
    channel_.break_with("the client does not read its answers");
  }
  bool more = !finished_ && take_records(now);
  if (greets_by_ == Instant::never()) {
    greets_by_ = now + kGreetingTime;
  }
  if (!greeted_ && !finished_ && now >= greets_by_) {
    channel_.break_with("no Hello came in time");
  }
  for (const auto& subscription : subscriptions_) {
    more = subscription->pump(now, channel_, ring_bytes_) || more;
  }
  tell_coverage();
  release_clock_replies();
  if (channel_.broken() && !finished_) {
    finish_refused();
  }
  return more;
}

bool ClientSession::take_records(Instant now) {
  for (int i = 0; i < kRecordsPerTurn; ++i) {
    if (!outbox_.empty() && !leaving_) {
      return false;  // the doorbell rings when there is room for the answers
    }
    if (!stalled_) {
      stalled_ = channel_.receive();
    }
    if (!stalled_) {
      return false;
    }
    switch (take(now, *stalled_)) {
      case Taken::kDone:
        stalled_.reset();
        break;
      case Taken::kStalled:
        core_.short_of_storage = true;
        return false;
      case Taken::kBroken:
        stalled_.reset();
        finish_refused();
        return false;
    }
  }
  return true;
}

ClientSession::Taken ClientSession::take(Instant now, const local::RecordView& view) {
  const auto record = local::decode_client_record(view);
  if (!record) {
    return break_with(record.error().code, record.error().message);
  }
  if (!greeted_ && !std::holds_alternative<local::Hello>(*record)) {
    return break_with(Code::kInvalid, "the first record must be Hello");
  }
  return std::visit([&](const auto& one) { return on(now, one); }, *record);
}

ClientSession::Taken ClientSession::break_with(Code code, std::string text) {
  refusal_ = refusal_of(code);
  static_cast<void>(local::send(channel_, local::ErrorRecord{code, text}));
  channel_.break_with(std::move(text));
  return Taken::kBroken;
}

void ClientSession::finish_refused() {
  finished_ = true;
  const std::string why(channel_.broken_reason());
  // It was told, unless its ring is what is broken.
  static_cast<void>(local::send(channel_, local::ErrorRecord{Code::kCorrupt, why}));
  const std::uint64_t count =
      ++core_.counters.clients_refused.at(static_cast<std::size_t>(refusal_));
  if (core_.is_new_client_fault(why) ||
      is_milestone(count)) {  // a broken client may come again at once, without end
    log::warn("client {} is closed: {} ({} such so far)", label(), why, count);
  }
}

ClientSession::Declared* ClientSession::find(local::TopicHandle handle) {
  const auto at = declared_.find(handle);
  return at == declared_.end() || at->second.topic == nullptr ? nullptr : &at->second;
}

ClientSession::Taken ClientSession::not_declared(local::TopicHandle handle,
                                                 std::string_view record) {
  if (refused_.contains(handle)) {
    return Taken::kDone;
  }
  return break_with(Code::kInvalid, fmt::format("{} of a topic that is not declared", record));
}

void ClientSession::note_refusal(Instant now,
                                 ClientRequest request,
                                 const Error& error,
                                 std::optional<Refusal>& noted) {
  ++core_.counters.client_requests_refused.at(static_cast<std::size_t>(request));
  const std::string text = fmt::format("client {}: {}", label(), error.message);
  if (const auto count = ++refusals_[error.code]; is_milestone(count)) {
    log::warn("{} ({} such so far)", text, count);
  }
  noted = {.reason = "client.refused", .text = text, .since = noted ? noted->since : now};
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::Hello& record) {
  if (greeted_) {
    return break_with(Code::kInvalid, "Hello came twice");
  }
  if (record.version_min > local::kVersionMax || record.version_max < local::kVersionMin) {
    return break_with(Code::kUnsupported,
                      fmt::format("no common version of the local channel: the client speaks {} to "
                                  "{}, the gateway {} to {}",
                                  record.version_min,
                                  record.version_max,
                                  local::kVersionMin,
                                  local::kVersionMax));
  }
  greeted_ = true;
  hello_ = record;
  core_.present[{hello_.publisher, number_}] = {hello_.incarnation, leaving_};
  local::Welcome welcome;
  welcome.version = std::min(record.version_max, local::kVersionMax);
  welcome.gateway = core_.incarnation;
  welcome.site = core_.config.site;
  welcome.workers = core_.config.workers;
  welcome.worker = core_.worker;
  for (const auto& site : core_.config.sites) {
    welcome.sites.push_back(site.name);
  }
  reply(std::move(welcome));
  return Taken::kDone;
}

Result<Topic*> ClientSession::open_topic(Instant now, const local::Declare& record) {
  auto spec = make_spec(record, core_.config);
  if (!spec) {
    return Failure(spec.error());
  }
  if (const std::uint32_t worker = core_.worker_of(spec->id); worker != core_.worker) {
    return fail(Code::kInvalid,
                "topic {}: shard {} is of worker {}, and this is worker {}",
                spec->name,
                spec->id.shard,
                worker,
                core_.worker);
  }
  if (Topic* known = core_.find_topic(spec->id)) {
    if (auto same = known->check_same(*spec, record.replaces.has_value()); !same) {
      return Failure(same.error());
    }
    if (known->adopt(*spec)) {
      if (auto written = known->remember(core_.store); !written) {
        return Failure(written.error());
      }
    }
    return known;
  }
  // Its shards at this worker have one shape.
  for (const auto& [id, topic] : core_.topics) {
    if (id.topic == spec->id.topic) {
      if (auto same = topic->check_same(*spec, record.replaces.has_value()); !same) {
        return Failure(same.error());
      }
    }
  }
  if (auto room = core_.check_room(*spec); !room) {
    return Failure(room.error());
  }
  auto opened =
      Topic::open(now, *spec, core_.config, core_.store, core_.new_life(), core_.workspace);
  if (!opened) {
    return Failure(opened.error());
  }
  Topic* topic = core_.topics.emplace(spec->id, std::move(*opened)).first->second.get();
  log::info("topic {} is declared: {} elements", spec->name, spec->element_count());
  exchange_.announce(now, *topic);  // to peers only when its seed is complete
  return topic;
}

ClientSession::Taken ClientSession::on(Instant now, const local::Declare& record) {
  const Declared* before = find(record.handle);
  if (before != nullptr && (before->topic->spec().name != record.topic ||
                            before->topic->spec().id.shard != record.shard)) {
    return break_with(Code::kInvalid, "Declare: the handle names another topic already");
  }
  if (!record.replaces && predecessor_leaves()) {
    return Taken::kStalled;  // it may still come to hold the inbox
  }
  const Result<Topic*> topic = open_topic(now, record);
  local::Declared answer;
  answer.handle = record.handle;
  if (topic) {
    refused_.erase(record.handle);
    declared_[record.handle].topic = *topic;
    declared_[record.handle].replaces = record.replaces;
    declared_[record.handle].unanswered = record.unanswered;
    answer.publisher_before = (*topic)->ledger().last_process(hello_.publisher);
    answer.publishers_forgotten = (*topic)->ledger().publishers_forgotten();
    answer.seed_wanted = !(*topic)->seed_complete();
    answer.memory_bound = (*topic)->memory_bound();
    answer.incarnation = (*topic)->ledger().incarnation();
    for (const SiteConfig& site : core_.config.sites) {
      if ((*topic)->spec().may_hold(site.name)) {
        answer.sites.push_back(site.name);
      }
    }
  } else {
    RefusedTopic& refused = refused_[record.handle];
    refused.name = record.topic;
    note_refusal(now, ClientRequest::kTopic, topic.error(), refused.refusal);
    answer.code = topic.error().code;
    answer.error = topic.error().message;
  }
  reply(std::move(answer));
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant now, const local::SeedChunk& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "SeedChunk");
  }
  Topic& topic = *declared->topic;
  const bool before = topic.seed_complete();
  const auto written = topic.write_seed(core_.store, record.first, record.values);
  if (!written) {
    return written.error().code == Code::kFull
               ? Taken::kStalled
               : break_with(written.error().code, written.error().message);
  }
  if (!before && topic.seed_complete()) {
    exchange_.announce(now, topic);
  }
  return Taken::kDone;
}

// Who ticks is remembered before the clock moves by it.
void ClientSession::on_tickers(Topic& topic, bool changed) {
  if (changed) {
    if (auto written = topic.remember(core_.store);
        !written && is_milestone(++topic.not_remembered)) {
      log::warn("topic {}: who ticks is not remembered over a restart: {} ({} such so far)",
                topic.spec().name,
                written.error().message,
                topic.not_remembered);
    }
  }
  exchange_.advance_clock(topic);
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::Tick& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "Tick");
  }
  Topic& topic = *declared->topic;
  on_tickers(topic, topic.site_clock.on_tick(this, hello_.publisher, record.clock));
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant now, const local::WaitClock& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "WaitClock");
  }
  if (clock_replies_.size() >= kClockRepliesMax) {
    return break_with(Code::kFull, "the client waits for clocks and takes no changes");
  }
  const TopicShard topic = declared->topic->spec().id;
  const auto id = waits_.size() < local::kWaitsMax
                      ? core_.waits.add_wait(now, topic, record.min_clock, now + record.deadline)
                      : std::nullopt;
  if (!id) {
    return leaving_ ? Taken::kDone : Taken::kStalled;  // until one of its waits is answered
  }
  waits_[*id] = {record.request, topic};
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::WatchCoverage& record) {
  Declared* declared = find(record.topic);
  if (declared == nullptr) {
    return not_declared(record.topic, "WatchCoverage");
  }
  declared->watches_coverage = true;
  return Taken::kDone;
}

ClientSession::Taken ClientSession::on(Instant /*now*/, const local::Goodbye& /*record*/) {
  said_goodbye_ = true;
  return Taken::kDone;
}

bool ClientSession::on_wait_done(const scheduler::StalenessWaits::Done& done) {
  const auto at = waits_.find(done.id);
  if (at == waits_.end()) {
    return false;
  }
  ClockReply waiting;
  waiting.reply.request = at->second.first;
  waiting.topic = at->second.second;
  for (const SiteId site : done.missing) {
    const SiteConfig* known = core_.config.find_site(site);
    waiting.reply.missing.push_back(known != nullptr ? known->name : "unknown");
  }
  std::sort(waiting.reply.missing.begin(), waiting.reply.missing.end());
  if (done.outcome == scheduler::WaitOutcome::kOk) {
    waiting.number = core_.find_topic(waiting.topic)->ledger().last_publish().value();
  }
  waits_.erase(at);
  clock_replies_.push_back(std::move(waiting));
  return true;
}

void ClientSession::release_clock_replies() {
  std::erase_if(clock_replies_, [&](const ClockReply& waiting) {
    const bool delivered =
        waiting.number == 0 ||
        std::all_of(subscriptions_.begin(), subscriptions_.end(), [&](const auto& subscription) {
          return subscription->topic().spec().id != waiting.topic ||
                 subscription->delivered(waiting.number);
        });
    if (delivered) {
      reply(waiting.reply);
    }
    return delivered;
  });
}

void ClientSession::tell_coverage() {
  for (auto& [handle, declared] : declared_) {
    if (declared.topic == nullptr || !declared.watches_coverage) {
      continue;
    }
    for (const auto& [site, lanes] : declared.topic->peers()) {
      std::uint64_t& told = declared.covered_told[site];
      const std::uint64_t covered = declared.topic->covered_at(lanes);
      if (covered > told) {
        told = covered;
        reply(local::Covered{handle, site, told});
      }
    }
  }
}

void ClientSession::on_changed(const Topic& topic, std::uint32_t tile) {
  for (const auto& subscription : subscriptions_) {
    if (&subscription->topic() == &topic) {
      subscription->on_changed(tile);
    }
  }
}

Instant ClientSession::deadline() const {
  Instant first = greeted_ || finished_ ? Instant::never() : greets_by_;
  for (const auto& subscription : subscriptions_) {
    first = std::min(first, subscription->next_wakeup());
  }
  return first;
}

void ClientSession::list_lanes(const Topic& topic, std::set<ledger::LaneIndex>& lanes) const {
  for (const auto& subscription : subscriptions_) {
    if (&subscription->topic() == &topic) {
      lanes.insert(subscription->lane());
    }
  }
}

void ClientSession::list_refusals(
    const std::function<void(const std::string&, const Refusal&)>& visit) const {
  std::set<std::string_view> named;  // of several shards one is enough
  for (const auto& [handle, refused] : refused_) {
    if (named.insert(refused.name).second) {
      visit(refused.name, *refused.refusal);
    }
  }
  for (const auto& [handle, declared] : declared_) {
    if (declared.topic != nullptr && declared.unsubscribed &&
        named.insert(declared.topic->spec().name).second) {
      visit(declared.topic->spec().name, *declared.unsubscribed);
    }
  }
}

bool ClientSession::drain(Instant now) {
  leaving_ = true;
  if (greeted_) {
    core_.present[{hello_.publisher, number_}].leaves = true;
  }
  if (!finished_ && !channel_.broken() && (take_records(now) || stalled_)) {
    return false;
  }
  for (const auto& subscription : subscriptions_) {
    subscription->topic().subscribers.erase(subscription->lane());
    if (!GODWIT_MUTANT(kLeaveLanesOpen)) {
      subscription->topic().ledger().close_lane(subscription->lane());
    }
  }
  subscriptions_.clear();
  for (auto& [handle, declared] : declared_) {
    if (declared.topic == nullptr) {
      continue;
    }
    on_tickers(*declared.topic, declared.topic->site_clock.on_leave(this));
    // Also one that it took over an earlier connection, and has not published to over this one.
    ledger::Ledger& ledger = declared.topic->ledger();
    const auto inbox = ledger.find_inbox(hello_.publisher);
    if (inbox && ledger.inbox(*inbox).incarnation == hello_.incarnation) {
      ledger.abandon_publish(*inbox);
      if (hello_.client_name.empty() || said_goodbye_) {
        ledger.close_inbox(*inbox);
      }
    }
  }
  for (const auto& [id, wait] : waits_) {
    core_.waits.cancel(id);
  }
  core_.present.erase({hello_.publisher, number_});
  finished_ = true;
  return true;
}

}  // namespace godwit::gateway
