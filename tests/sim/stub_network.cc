#include "tests/sim/stub_network.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "tests/sim/stub_endpoint.h"

namespace godwit::sim {
namespace {

// As the product's transport: an attempt that nobody answers is given up.
constexpr Duration kDialTimeout = Duration::ms(1300);
// What waits unsent in a session at most before it wants no more.
constexpr Duration kUnsentMax = Duration::ms(15);
constexpr std::size_t kOldMax = 12;
constexpr std::size_t kHeaderBytes = 60;  // of a packet, for the rate

bool later(const Message& a, const Message& b) {
  return a.at != b.at ? a.at > b.at : a.number > b.number;
}

}  // namespace

StubNetwork::StubNetwork(const Scenario& scenario,
                         std::uint64_t seed,
                         Trace& trace,
                         Watcher watcher)
    : scenario_(scenario),
      random_(seed),
      trace_(trace),
      watcher_(std::move(watcher)),
      endpoints_(scenario.site_count(), nullptr),
      links_(scenario.links.size()) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].draw = scenario.links[i];
  }
}

StubNetwork::~StubNetwork() = default;

std::unique_ptr<transport::Endpoint> StubNetwork::open(std::size_t site) {
  GODWIT_ASSERT(endpoints_[site] == nullptr);
  auto endpoint = std::make_unique<StubEndpoint>(*this, site);
  endpoints_[site] = endpoint.get();
  return endpoint;
}

void StubNetwork::on_crash(Instant now, std::size_t site) {
  // What the dead process had handed to the network may still arrive, or may not.
  const bool lost = random_.chance(0.5);
  for (auto& [id, conversation] : conversations_) {
    const auto other = conversation.sites[0] == site   ? conversation.sites[1]
                       : conversation.sites[1] == site ? conversation.sites[0]
                                                       : site;
    if (other == site) {
      continue;
    }
    if (lost) {
      std::erase_if(queue_, [id = id, site](const Message& m) {
        return m.conversation == id && m.from == site && m.kind != MessageKind::kSilence;
      });
    }
    const auto extra = random_.below(static_cast<std::uint64_t>(scenario_.silence.count_ns()));
    schedule_silence(now + Duration::ns(static_cast<std::int64_t>(extra)), id, other, true);
  }
  std::make_heap(queue_.begin(), queue_.end(), later);
}

Instant StubNetwork::next_event() const {
  return queue_.empty() ? Instant::never() : queue_.front().at;
}

void StubNetwork::push(Message message) {
  message.number = next_number_++;
  queue_.push_back(std::move(message));
  std::push_heap(queue_.begin(), queue_.end(), later);
}

Message StubNetwork::pop() {
  std::pop_heap(queue_.begin(), queue_.end(), later);
  Message message = std::move(queue_.back());
  queue_.pop_back();
  return message;
}

void StubNetwork::advance(Instant now, std::vector<bool>& woken) {
  while (!queue_.empty() && queue_.front().at <= now) {
    deliver(now, pop(), woken);
  }
}

void StubNetwork::cut(Instant now, std::size_t from, std::size_t to) {
  Link& where = link(from, to);
  where.cut = true;
  ++where.cuts;
  for (const auto& [id, conversation] : conversations_) {
    const auto* sites = conversation.sites;
    if ((sites[0] == from && sites[1] == to) || (sites[0] == to && sites[1] == from)) {
      for (const std::size_t site : {from, to}) {
        const auto extra = random_.below(static_cast<std::uint64_t>(scenario_.silence.count_ns()));
        schedule_silence(now + scenario_.silence + Duration::ns(static_cast<std::int64_t>(extra)),
                         id,
                         site,
                         false);
      }
    }
  }
}

void StubNetwork::heal(Instant now, std::size_t from, std::size_t to) {
  Link& where = link(from, to);
  where.cut = false;
  // Retransmitted: everything that was stuck, and what follows it, arrives after one more delay.
  const Instant earliest = now + where.draw.delay;
  for (Message& message : queue_) {
    if (message.from == from && message.to == to && message.kind != MessageKind::kSilence &&
        message.kind != MessageKind::kDialTimeout) {
      message.at = std::max(message.at, earliest);
    }
  }
  for (Message& message : where.held) {
    message.at = earliest;
    queue_.push_back(std::move(message));
  }
  where.held.clear();
  std::make_heap(queue_.begin(), queue_.end(), later);
}

void StubNetwork::break_session(Instant now, std::size_t a, std::size_t b) {
  for (const auto& [id, conversation] : conversations_) {
    const auto* sites = conversation.sites;
    if ((sites[0] == a && sites[1] == b) || (sites[0] == b && sites[1] == a)) {
      schedule_silence(now, id, a, true);
      schedule_silence(
          now + Duration::us(static_cast<std::int64_t>(random_.below(20'000))), id, b, true);
    }
  }
}

void StubNetwork::set_rate(Instant /*now*/, std::size_t from, std::size_t to, BitRate rate) {
  link(from, to).draw.rate = rate;
}

void StubNetwork::schedule_silence(Instant at, std::uint64_t id, std::size_t site, bool always) {
  const Conversation& conversation = conversations_.at(id);
  Message message;
  message.at = at;
  message.conversation = id;
  message.to = site;
  message.from = conversation.sites[0] == site ? conversation.sites[1] : conversation.sites[0];
  message.kind = MessageKind::kSilence;
  message.always = always;
  push(std::move(message));
}

std::uint64_t StubNetwork::begin_conversation(Instant now,
                                              std::size_t dialler,
                                              std::size_t acceptor) {
  const std::uint64_t id = next_conversation_++;
  Conversation conversation;
  conversation.sites[0] = dialler;
  conversation.sites[1] = acceptor;
  conversations_[id] = conversation;
  Message timeout;
  timeout.at = now + kDialTimeout + scenario_.link(dialler, acceptor).delay * 4;
  timeout.conversation = id;
  timeout.from = acceptor;
  timeout.to = dialler;
  timeout.kind = MessageKind::kDialTimeout;
  push(std::move(timeout));
  return id;
}

void StubNetwork::send(Instant now,
                       std::uint64_t id,
                       std::size_t from,
                       MessageKind kind,
                       std::span<const std::byte> bytes,
                       std::uint64_t code) {
  const auto at = conversations_.find(id);
  if (at == conversations_.end()) {
    return;
  }
  Conversation& conversation = at->second;
  const std::size_t end = conversation.sites[0] == from ? 1 : 0;
  const std::size_t to = conversation.sites[end];
  Link& where = link(from, to);
  Message message;
  message.conversation = id;
  message.from = from;
  message.to = to;
  message.kind = kind;
  message.code = code;
  message.sent = now;
  message.bytes.assign(bytes.begin(), bytes.end());
  if (kind == MessageKind::kTransfer) {
    const Instant start = std::max(now, where.busy_until);
    where.busy_until = start + where.draw.rate.time_for(Bytes(bytes.size() + kHeaderBytes));
    message.at = where.busy_until + where.draw.delay;
    if (where.draw.jitter > Duration::zero()) {
      const auto bound = static_cast<std::uint64_t>(where.draw.jitter.count_ns());
      message.at += Duration::ns(static_cast<std::int64_t>(random_.below(bound)));
    }
    replay(now, where, message);
  } else {
    // First in every packet: it does not wait behind transfers.
    message.at = std::max(now + where.draw.delay, conversation.last_control[end]);
    conversation.last_control[end] = message.at;
  }
  push(std::move(message));
}

void StubNetwork::replay(Instant now, Link& where, const Message& original) {
  if (scenario_.replay <= 0) {
    return;
  }
  where.old.push_back(original.bytes);
  if (where.old.size() > kOldMax) {
    where.old.pop_front();
  }
  if (!random_.chance(scenario_.replay)) {
    return;
  }
  Message again;
  again.at =
      now + where.draw.delay + Duration::us(static_cast<std::int64_t>(random_.below(1'000'000)));
  again.from = original.from;
  again.to = original.to;
  again.kind = MessageKind::kReplay;
  again.bytes = where.old[random_.below(where.old.size())];
  push(std::move(again));
}

void StubNetwork::join(std::uint64_t id, std::size_t site, StubSession* session) {
  Conversation& conversation = conversations_.at(id);
  conversation.ends[conversation.sites[0] == site ? 0 : 1] = session;
}

void StubNetwork::leave(std::uint64_t id, std::size_t site) {
  const auto at = conversations_.find(id);
  if (at == conversations_.end()) {
    return;
  }
  Conversation& conversation = at->second;
  conversation.ends[conversation.sites[0] == site ? 0 : 1] = nullptr;
}

Instant StubNetwork::room_at(std::size_t from, std::size_t to) const {
  return link(from, to).busy_until - kUnsentMax;
}

Duration StubNetwork::round_trip(std::size_t a, std::size_t b) const {
  return link(a, b).draw.delay + link(b, a).draw.delay;
}

std::size_t StubNetwork::site_index(std::string_view name) const {
  const auto at = std::find(scenario_.sites.begin(), scenario_.sites.end(), name);
  return static_cast<std::size_t>(at - scenario_.sites.begin());
}

void StubNetwork::deliver(Instant now, Message message, std::vector<bool>& woken) {
  if (message.kind == MessageKind::kSilence || message.kind == MessageKind::kDialTimeout) {
    silence(now, message, woken);
    return;
  }
  Link& where = link(message.from, message.to);
  if (where.cut) {
    if (message.kind != MessageKind::kOpen && message.kind != MessageKind::kReplay) {
      where.held.push_back(std::move(message));
    }
    return;
  }
  if (message.kind == MessageKind::kOpen) {
    deliver_open(now, message, woken);
    return;
  }
  StubSession* session = nullptr;
  if (message.kind == MessageKind::kReplay) {
    for (const auto& [id, conversation] : conversations_) {
      for (const std::size_t end : {0U, 1U}) {
        if (conversation.sites[end] == message.to && conversation.sites[1 - end] == message.from &&
            conversation.ends[end] != nullptr && conversation.ends[end]->is_established()) {
          session = conversation.ends[end];
        }
      }
    }
  } else {
    const auto at = conversations_.find(message.conversation);
    if (at != conversations_.end()) {
      session = at->second.ends[at->second.sites[0] == message.to ? 0 : 1];
    }
  }
  if (session == nullptr) {
    return;
  }
  woken[message.to] = true;
  trace_.note(now, Happening::kDelivered, message.bytes);
  switch (message.kind) {
    case MessageKind::kOpened:
      session->on_established();
      return;
    case MessageKind::kClose:
      session->on_closed({.reason = transport::CloseReason::kPeer,
                          .code = message.code,
                          .by_peer = true,
                          .text = "closed by the peer"});
      return;
    case MessageKind::kControl:
      session->on_message(transport::Event::Kind::kControl, message.bytes);
      return;
    default:
      watcher_(message.sent, message.from, message.to, message.bytes);
      session->on_message(transport::Event::Kind::kTransfer, message.bytes);
      return;
  }
}

void StubNetwork::deliver_open(Instant now, const Message& message, std::vector<bool>& woken) {
  StubEndpoint* endpoint = endpoints_[message.to];
  if (endpoint == nullptr || !conversations_.contains(message.conversation)) {
    return;
  }
  Conversation& conversation = conversations_.at(message.conversation);
  conversation.ends[1] = endpoint->accept(message.conversation, message.from);
  woken[message.to] = true;
  trace_.note(now, Happening::kSession, message.conversation);
  send(now, message.conversation, message.to, MessageKind::kOpened, {});
}

void StubNetwork::silence(Instant now, const Message& message, std::vector<bool>& woken) {
  const auto at = conversations_.find(message.conversation);
  if (at == conversations_.end()) {
    return;
  }
  Conversation& conversation = at->second;
  const bool dial = message.kind == MessageKind::kDialTimeout;
  const bool is_cut = link(message.from, message.to).cut || link(message.to, message.from).cut;
  StubSession* session = conversation.ends[conversation.sites[0] == message.to ? 0 : 1];
  if (dial && session != nullptr && session->is_established()) {
    return;
  }
  if (!dial && !message.always && !is_cut) {
    return;
  }
  if (dial || (session != nullptr && !session->is_closed())) {
    // Whoever gave up answers no more, so the other end hears nothing either.
    schedule_silence(now + scenario_.silence, message.conversation, message.from, true);
  }
  if (session != nullptr) {
    trace_.note(now, Happening::kSession, message.conversation);
    session->on_closed({.reason = dial ? transport::CloseReason::kHandshakeTimeout
                                       : transport::CloseReason::kSilent,
                        .code = 0,
                        .by_peer = false,
                        .text = "nothing was heard"});
    woken[message.to] = true;
  }
}

}  // namespace godwit::sim
