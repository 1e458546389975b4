#include "dataplane/port/loop/network.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "dataplane/base/assert.h"

namespace godwit::port {
namespace {

// IPv4 or IPv6 header and UDP header, bytes.
std::uint64_t layer3_bytes(const Peer& peer, std::size_t payload) {
  return payload + (peer.is_v6() ? 48 : 28);
}

// UDP payload on a 9,000-byte path with IPv6.
constexpr std::size_t kMtu = 8952;
constexpr std::size_t kTrainBytes = 65'000;
constexpr std::size_t kTrainSegments = 64;

}  // namespace

// A datagram on its way.
struct LoopNetwork::Flight {
  Instant arrival;
  std::uint64_t sequence = 0;  // equal arrivals keep the order of sending
  Peer from;
  Peer to;
  std::uint8_t ecn = 0;
  std::uint8_t dscp = 0;
  Link* link = nullptr;
  std::vector<std::byte> bytes;
};

struct LoopNetwork::Link {
  LinkConditions conditions;
  LinkCounters counters;
  Instant free_at = Instant::from_ns(0);  // when the line has sent everything it took
  bool is_set = false;                    // false: follows the network's default
};

struct LoopNetwork::Later {
  bool operator()(const std::unique_ptr<Flight>& a, const std::unique_ptr<Flight>& b) const {
    return std::pair(a->arrival, a->sequence) > std::pair(b->arrival, b->sequence);
  }
};

// One end of the network. Arrived datagrams wait here until `receive`.
class LoopPort final : public Port {
 public:
  LoopPort(LoopNetwork& network, const Peer& local) : network_(network), local_(local) {}
  LoopPort(const LoopPort&) = delete;
  LoopPort& operator=(const LoopPort&) = delete;
  ~LoopPort() override { network_.close(local_); }

  Capabilities capabilities() const override {
    return {.mtu = kMtu,
            .train_bytes_max = kTrainBytes,
            .train_segments_max = kTrainSegments,
            .name = "loop"};
  }
  Peer local() const override { return local_; }

  std::size_t receive(Instant now, std::span<Train> out) override {
    network_.advance(now);
    std::size_t count = 0;
    while (count < out.size() && !arrived_.empty()) {
      auto flight = std::move(arrived_.front());
      arrived_.pop_front();
      out[count++] = {.peer = flight->from,
                      .segment_bytes = static_cast<std::uint16_t>(flight->bytes.size()),
                      .bytes = flight->bytes,
                      .ecn = flight->ecn,
                      .dscp = flight->dscp};
      ++counters_.trains_received;
      ++counters_.packets_received;
      counters_.bytes_received += flight->bytes.size();
      const std::byte* key = flight->bytes.data();
      lent_.emplace(key, std::move(flight));
    }
    return count;
  }

  void release(std::span<const Train> trains) override {
    for (const Train& train : trains) {
      const auto erased = lent_.erase(train.bytes.data());
      GODWIT_ASSERT(erased == 1, "a released train was not received here");
    }
  }

  std::size_t transmit(Instant now, std::span<const Train> trains) override {
    for (const Train& train : trains) {
      GODWIT_ASSERT(!train.bytes.empty() && train.segment_bytes > 0);
      const std::size_t packets =
          (train.bytes.size() + train.segment_bytes - 1) / train.segment_bytes;
      ++counters_.trains_sent;
      counters_.packets_sent += packets;
      counters_.bytes_sent += train.bytes.size();
      network_.send(now, local_, train);
    }
    return trains.size();
  }

  void wait(Duration) override {}
  void wake() override {}
  void watch(int) override {}
  void unwatch(int) override {}
  std::optional<PathMtu> poll_path_mtu() override {
    if (told_.empty()) {
      return std::nullopt;
    }
    const PathMtu word{.peer = told_.begin()->first, .datagram_bytes = told_.begin()->second};
    told_.erase(told_.begin());
    return word;
  }
  Counters counters() const override { return counters_; }

 private:
  friend class LoopNetwork;
  using Arrived = std::unique_ptr<LoopNetwork::Flight>;

  LoopNetwork& network_;
  Peer local_;
  std::deque<Arrived> arrived_;
  std::unordered_map<const std::byte*, Arrived> lent_;
  std::map<Peer, std::size_t> told_;  // UDP payload that would pass, not yet polled
  Counters counters_;
};

LoopNetwork::LoopNetwork(Random& random) : random_(random) {}

LoopNetwork::~LoopNetwork() {
  GODWIT_ASSERT(ports_.empty(), "a port outlives its network");
}

std::unique_ptr<Port> LoopNetwork::open(const Peer& local) {
  auto port = std::make_unique<LoopPort>(*this, local);
  const bool inserted = ports_.emplace(local, port.get()).second;
  GODWIT_ASSERT(inserted, "two ports have one address");
  return port;
}

void LoopNetwork::close(const Peer& local) {
  ports_.erase(local);
}

LoopNetwork::Link& LoopNetwork::link_between(const Peer& from, const Peer& to) {
  auto& link = links_[{from, to}];
  if (!link) {
    link = std::make_unique<Link>();
  }
  if (!link->is_set) {
    link->conditions = default_;
  }
  return *link;
}

void LoopNetwork::set_link(const Peer& from, const Peer& to, const LinkConditions& conditions) {
  Link& link = link_between(from, to);
  link.conditions = conditions;
  link.is_set = true;
}

void LoopNetwork::set_both(const Peer& a, const Peer& b, const LinkConditions& conditions) {
  set_link(a, b, conditions);
  set_link(b, a, conditions);
}

void LoopNetwork::set_default(const LinkConditions& conditions) {
  default_ = conditions;
}

const LinkConditions& LoopNetwork::link(const Peer& from, const Peer& to) const {
  const auto found = links_.find({from, to});
  return found != links_.end() && found->second->is_set ? found->second->conditions : default_;
}

LinkCounters LoopNetwork::link_counters(const Peer& from, const Peer& to) const {
  const auto found = links_.find({from, to});
  return found != links_.end() ? found->second->counters : LinkCounters{};
}

void LoopNetwork::send(Instant now, const Peer& from, const Train& train) {
  Link& link = link_between(from, train.peer);
  const LinkConditions& conditions = link.conditions;
  for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
    const std::size_t size = std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at);
    const auto datagram = train.bytes.subspan(at, size);
    ++link.counters.packets_offered;
    if (conditions.cut || random_.chance(conditions.loss)) {
      ++link.counters.packets_lost;
      continue;
    }
    const Bytes on_wire(layer3_bytes(from, size));
    if (on_wire.count() > conditions.mtu) {
      ++link.counters.packets_too_large;
      if (conditions.tells_mtu) {
        ports_.at(from)->told_[train.peer] = conditions.mtu - (on_wire.count() - size);
      }
      continue;
    }
    Instant sent = now;
    if (!conditions.rate.is_unlimited()) {
      const Instant start = std::max(now, link.free_at);
      const Bytes queued = conditions.rate.bytes_in(start - now);
      if ((queued + on_wire).count() > conditions.queue_bytes) {
        ++link.counters.packets_dropped;
        continue;
      }
      link.free_at = start + conditions.rate.time_for(on_wire);
      sent = link.free_at;
    }
    Instant arrival = sent + conditions.delay;
    if (conditions.jitter > Duration::zero()) {
      const auto span = static_cast<std::uint64_t>(conditions.jitter.count_ns());
      arrival += Duration::ns(static_cast<std::int64_t>(random_.below(span)));
    }
    if (random_.chance(conditions.reorder)) {
      arrival += conditions.reorder_delay;
    }
    launch(arrival, link, from, train, datagram);
    if (random_.chance(conditions.duplicate)) {
      launch(arrival, link, from, train, datagram);
    }
  }
}

void LoopNetwork::launch(Instant at,
                         Link& link,
                         const Peer& from,
                         const Train& train,
                         std::span<const std::byte> datagram) {
  auto flight = std::make_unique<Flight>();
  flight->arrival = at;
  flight->sequence = sequence_++;
  flight->from = from;
  flight->to = train.peer;
  flight->ecn = train.ecn;
  flight->dscp = train.dscp;
  flight->link = &link;
  flight->bytes.assign(datagram.begin(), datagram.end());
  if (random_.chance(link.conditions.corrupt)) {
    const std::uint64_t bit = random_.below(flight->bytes.size() * 8);
    flight->bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  }
  flights_.push_back(std::move(flight));
  std::push_heap(flights_.begin(), flights_.end(), Later());
}

Instant LoopNetwork::next_event() const {
  return flights_.empty() ? Instant::never() : flights_.front()->arrival;
}

void LoopNetwork::advance(Instant now) {
  while (!flights_.empty() && flights_.front()->arrival <= now) {
    std::pop_heap(flights_.begin(), flights_.end(), Later());
    auto flight = std::move(flights_.back());
    flights_.pop_back();
    LinkCounters& counters = flight->link->counters;
    const auto port = ports_.find(flight->to);
    if (flight->link->conditions.cut || port == ports_.end()) {
      ++counters.packets_lost;
      continue;
    }
    ++counters.packets_delivered;
    counters.bytes_delivered += layer3_bytes(flight->from, flight->bytes.size());
    port->second->arrived_.push_back(std::move(flight));
  }
}

}  // namespace godwit::port
