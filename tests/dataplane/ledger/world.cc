#include "tests/dataplane/ledger/world.h"

#include <algorithm>

namespace godwit::ledger::test {

namespace {

const std::array<const char*, 3> kNames = {"fra", "iad", "nrt"};

}  // namespace

World::World(const WorldOptions& options) : options_(options), random_(options.seed) {
  crash_plan() = {.points_left = -1, .mutant = options.mutant};
  for (std::size_t i = 0; i < kSites; ++i) {
    start_site(i);
  }
  for (std::size_t i = 0; i < kSites; ++i) {
    reconnect(i);
  }
}

void World::wrong(std::string what) {
  if (wrong_.empty()) {
    wrong_ = "seed " + std::to_string(options_.seed) + ": " + what;
  }
}

// A site with nothing but a new incarnation; its publishers and subscriber begin anew as well.
void World::start_site(std::size_t i) {
  Node& node = nodes_[i];
  ++node.lives;
  const Incarnation life = {node.lives, static_cast<std::uint32_t>(random_.next())};
  node.site.reset();
  Shape shape = small_shape(kNames[i]);
  node.site = std::make_unique<Site>(shape, life);
  node.published.assign(shape.element_count, 0);
  node.detached.assign(shape.element_count, 0);
  node.witnesses.clear();
  Site& site = *node.site;
  for (std::size_t p = 0; p < node.publishers.size(); ++p) {
    Publisher& publisher = node.publishers[p];
    publisher = {};
    publisher.id = PublisherId((i * 10) + p + 1);
    publisher.inbox = site->open_inbox(publisher.id, life).value();
  }
  node.subscriber = {};
  node.subscriber.sum.assign(shape.element_count, 0);
  const LaneKey key = {.kind = LaneKind::kSubscriber, .to = i + 100, .to_incarnation = life};
  const LaneOptions options = {
      .window = 4, .ring_bytes = 0, .own_publisher = node.publishers[0].id};
  node.subscriber.lane = site->open_lane(key, options).value();
}

// (Re)opens all lanes to and from site i, as sites do after a handshake.
void World::reconnect(std::size_t i) {
  for (std::size_t j = 0; j < kSites; ++j) {
    if (j == i) {
      continue;
    }
    for (const auto& [from, to] : {std::pair(i, j), std::pair(j, i)}) {
      Site& a = *nodes_[from].site;
      Site& b = *nodes_[to].site;
      nodes_[from].lanes[to] = a->open_lane({.kind = LaneKind::kSite,
                                             .to = b.shape.site.value(),
                                             .to_incarnation = b->incarnation()},
                                            {.window = 6, .ring_bytes = 0, .own_publisher = {}})
                                   .value();
      nodes_[to].incomings[from] =
          b->open_incoming(a.shape.site, a->incarnation(), b->incarnation()).value();
    }
  }
}

void World::lose_state(std::size_t i) {
  // What the others had applied from the lost life stays there, detached.
  const std::uint64_t life = nodes_[i].site->ledger->incarnation().packed();
  for (std::size_t j = 0; j < kSites; ++j) {
    if (j == i) {
      continue;
    }
    Node& other = nodes_[j];
    const Receipt receipt = (*other.site)->receipt(other.incomings[i]);
    for (const auto& [key, bytes] : sealed_) {
      const std::uint64_t k = key[3];
      const std::uint64_t ahead = k - receipt.frontier - 1;
      const bool applied =
          k <= receipt.frontier ||
          (ahead < kWindowMax && ((receipt.window[ahead / 64] >> (ahead % 64)) & 1U) != 0);
      if (key[0] == life && key[1] == j && key[2] == (*other.site)->incarnation().packed() &&
          applied) {
        add_transfer(other.detached, bytes);
      }
    }
  }
  start_site(i);
  reconnect(i);
}

// A new process finds the mapping; recovery itself may be killed again.
void World::resume(std::size_t i) {
  Site& site = *nodes_[i].site;
  site.ledger.reset();
  for (;;) {
    ++crashes_;
    crash_plan().points_left =
        random_.chance(0.3) ? static_cast<std::int64_t>(random_.below(40)) : -1;
    try {
      auto attached = Ledger::attach(site.mapping, site.shape, site.life, site.workspace);
      crash_plan().points_left = -1;
      if (!attached) {
        wrong("attach: " + attached.error().message);
        crash_plan().mutant = Mutant::kNone;
        return;
      }
      site.ledger = std::move(*attached);
      return;
    } catch (const SimulatedCrash&) {
      crash_plan().points_left = -1;
    }
  }
}

void World::add(std::vector<std::int64_t>& sums, const Publish& publish) {
  for (std::size_t e = 0; e < publish.values.size(); ++e) {
    sums[publish.request.first + e] += publish.values[e];
  }
}

void World::add_transfer(std::vector<std::int64_t>& sums, std::span<const std::byte> bytes) {
  SparseDecoder decoder;
  std::vector<std::int64_t> tile(kTileElements);
  const auto view = wire::parse_transfer(bytes, 3);
  if (!view) {
    wrong("a frozen transfer does not parse: " + view.error().message);
    return;
  }
  for (const wire::TilePart part : *view) {
    if (!decoder.decode(part.codec, part.coded, tile)) {
      wrong("a frozen tile does not decode");
    }
    for (std::size_t e = 0; e < tile.size(); ++e) {
      if (tile[e] != 0) {
        sums[(std::size_t{part.tile} * kTileElements) + e] += tile[e];
      }
    }
  }
}

void World::publish(std::size_t i) {
  Node& node = nodes_[i];
  Publisher& publisher = node.publishers[random_.below(2)];
  if (!publisher.unsafe) {
    Publish fresh;
    fresh.request.number = publisher.next_number;
    if (random_.chance(0.3) && next_witness_ < node.published.size()) {
      fresh.request.first = next_witness_++;
      fresh.request.count = 1;
    } else {
      fresh.request.first = random_.below(kWitnesses - 1);
      // Mostly short, sometimes over a block's or a tile's border.
      const std::uint64_t most = random_.chance(0.2) ? 40'000 : 50;
      fresh.request.count = 1 + random_.below(std::min(most, kWitnesses - fresh.request.first));
    }
    fresh.values.resize(fresh.request.count);
    const std::uint64_t gap = 1 + (fresh.request.count / 40);
    for (std::size_t e = 0; e < fresh.values.size(); e += gap) {
      fresh.values[e] = static_cast<std::int64_t>(random_.below(2'000'001)) - 1'000'000;
    }
    if (fresh.values[0] == 0) {
      fresh.values[0] = 7;
    }
    publisher.unsafe = std::move(fresh);
  }
  finish_publish(i, publisher);
}

// Publishes what the publisher keeps, under its number, until the ledger says that it is safe.
void World::finish_publish(std::size_t i, Publisher& publisher) {
  const Publish& mine = *publisher.unsafe;
  bool safe = false;
  const bool alive = call(i, [&](Ledger& ledger) {
    const auto begun = ledger.begin_publish(publisher.inbox, mine.request);
    if (!begun) {
      wrong("begin_publish: " + begun.error().message);
      return;
    }
    if (*begun == Begin::kBusy) {
      return;
    }
    if (*begun == Begin::kFresh) {
      const std::size_t half = mine.values.size() / 2;
      const std::span<const std::int64_t> values(mine.values);
      if (!ledger.stage(publisher.inbox, mine.request.first, values.first(half)) ||
          !ledger.stage(publisher.inbox, mine.request.first + half, values.subspan(half))) {
        wrong("stage was refused");
      }
      if (const auto committed = ledger.commit_publish(publisher.inbox); !committed) {
        wrong("commit_publish: " + committed.error().message);
      }
    }
    safe = true;
  });
  if (!alive || !safe) {
    return;
  }
  Node& node = nodes_[i];
  const std::uint64_t number = (*node.site)->inbox(publisher.inbox).last_publish.value();
  if (mine.request.first >= kWitnesses) {
    node.witnesses.push_back(
        {.number = number, .element = mine.request.first, .value = mine.values[0]});
  }
  add(node.published, mine);
  if (&publisher == &node.publishers[0]) {
    add(node.subscriber.sum, mine);
  }
  publisher.last = std::move(publisher.unsafe);
  publisher.unsafe.reset();
  ++publisher.next_number;
}

// The answer was lost: the publisher repeats a publish that is safe. It must change nothing.
void World::repeat_publish(std::size_t i) {
  Publisher& publisher = nodes_[i].publishers[random_.below(2)];
  if (!publisher.last || publisher.unsafe) {
    return;
  }
  const Publish& old = *publisher.last;
  call(i, [&](Ledger& ledger) {
    const auto begun = ledger.begin_publish(publisher.inbox, old.request);
    if (begun && *begun == Begin::kFresh) {
      static_cast<void>(ledger.stage(publisher.inbox, old.request.first, old.values));
      static_cast<void>(ledger.commit_publish(publisher.inbox));
    }
  });
}

void World::freeze(std::size_t i, LaneIndex lane, bool everything) {
  std::vector<std::int64_t> open(kTileElements);
  call(i, [&](Ledger& ledger) {
    if (ledger.building_tiles(lane) == 0 && !ledger.begin_transfer(lane, {})) {
      return;
    }
    for (std::uint32_t tile = 0; tile < 3; ++tile) {
      if (!ledger.dirty(lane, tile) || (!everything && random_.chance(0.4))) {
        continue;
      }
      ledger.read_open(lane, tile, open);
      std::uint64_t remainder = 0;
      // A progressive code: coarse integers, or all, and only so many of them.
      const std::int64_t step = everything || random_.chance(0.5)
                                    ? 1
                                    : 1 + static_cast<std::int64_t>(random_.below(1000));
      std::size_t left = everything ? 6'000 : 1 + random_.below(3'000);
      for (std::int64_t& x : open) {
        const std::int64_t whole = x;
        x = left == 0 ? 0 : whole - (whole % step);
        left -= x != 0 ? 1 : 0;
        remainder = std::max(remainder, static_cast<std::uint64_t>(std::abs(whole - x)));
      }
      const auto coded = sparse_code(open);
      const auto appended = ledger.append(lane, tile, 0, coded, open, remainder);
      if (!appended && appended.error().code != Code::kFull) {
        if (options_.mutant == Mutant::kNone) {
          wrong("append: " + appended.error().message);
        }
        return;
      }
    }
    if (ledger.building_tiles(lane) > 0) {
      if (const auto k = ledger.seal(lane); !k) {
        wrong("seal: " + k.error().message);
      }
    }
  });
}

// Sends an unreceipted transfer: lost, once, or twice, to arrive in any order.
void World::send(std::size_t i, std::size_t j) {
  const LaneIndex lane = nodes_[i].lanes[j];
  Ledger& ledger = *nodes_[i].site->ledger;
  std::uint64_t after = 0;
  for (auto k = ledger.next_unreceipted(lane); k; k = ledger.next_unreceipted(lane, *k)) {
    after = *k;
    if (!random_.chance(0.5)) {
      break;
    }
  }
  if (after == 0) {
    return;
  }
  const auto frozen = ledger.frozen(lane, after);
  Transfer transfer = {.from = i,
                       .to = j,
                       .from_life = ledger.incarnation().packed(),
                       .to_life = ledger.lane(lane).key.to_incarnation.packed(),
                       .bytes = {frozen.begin(), frozen.end()}};
  const auto [known, fresh] =
      sealed_.try_emplace({transfer.from_life, j, transfer.to_life, after}, transfer.bytes);
  if (!fresh && known->second != transfer.bytes) {
    wrong("transfer " + std::to_string(after) + " was sent with two contents");
  }
  const std::uint64_t copies = calm_ ? 1 : random_.below(3);
  for (std::uint64_t copy = 0; copy < copies; ++copy) {
    network_.push_back(transfer);
  }
}

void World::deliver(std::size_t index) {
  const Transfer transfer = std::move(network_[index]);
  network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(index));
  Node& to = nodes_[transfer.to];
  const bool old = transfer.from_life != nodes_[transfer.from].site->life.packed() ||
                   transfer.to_life != to.site->life.packed();
  call(transfer.to, [&](Ledger& ledger) {
    const auto view = wire::parse_transfer(transfer.bytes, 3);
    if (!view) {
      wrong("a transfer does not parse: " + view.error().message);
      return;
    }
    const auto applied = ledger.apply(to.incomings[transfer.from], *view);
    if (!applied && !old) {
      wrong("apply: " + applied.error().message);
    }
    if (applied && old) {
      wrong("a transfer of another life was accepted");
    }
  });
}

void World::receipt(std::size_t i, std::size_t j) {
  const Receipt receipt = (*nodes_[j].site)->receipt(nodes_[j].incomings[i]);
  call(i, [&](Ledger& ledger) {
    if (const auto accepted = ledger.on_receipt(nodes_[i].lanes[j], receipt); !accepted) {
      wrong("on_receipt: " + accepted.error().message);
    }
  });
}

// The subscriber takes its transfers in a random order and receipts them.
void World::serve_subscriber(std::size_t i) {
  Node& node = nodes_[i];
  Subscriber& subscriber = node.subscriber;
  freeze(i, subscriber.lane, calm_ || random_.chance(0.3));
  if (!wrong_.empty()) {
    return;
  }
  Ledger& ledger = *node.site->ledger;
  for (auto k = ledger.next_unreceipted(subscriber.lane); k;
       k = ledger.next_unreceipted(subscriber.lane, *k)) {
    if (random_.chance(0.3) || *k <= subscriber.frontier || subscriber.ahead.count(*k) != 0) {
      continue;
    }
    const auto bytes = ledger.frozen(subscriber.lane, *k);
    add_transfer(subscriber.sum, bytes);
    const auto header = wire::parse_header(bytes);
    subscriber.ahead[*k] = header ? header->cumulative : 0;
  }
  for (auto next = subscriber.ahead.find(subscriber.frontier + 1); next != subscriber.ahead.end();
       next = subscriber.ahead.find(subscriber.frontier + 1)) {
    subscriber.checksum = next->second;
    ++subscriber.frontier;
    subscriber.ahead.erase(next);
  }
  Receipt receipt = {
      .frontier = subscriber.frontier, .checksum = subscriber.checksum, .window = {}};
  for (const auto& [k, cumulative] : subscriber.ahead) {
    const std::uint64_t bit = k - subscriber.frontier - 1;
    receipt.window[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }
  call(i, [&](Ledger& mine) {
    if (const auto accepted = mine.on_receipt(subscriber.lane, receipt); !accepted) {
      wrong("subscriber's receipt: " + accepted.error().message);
    }
  });
}

void World::step() {
  const std::size_t i = random_.below(kSites);
  const std::size_t j = (i + 1 + random_.below(kSites - 1)) % kSites;
  if (random_.chance(options_.state_loss)) {
    lose_state(i);
    return;
  }
  switch (random_.below(10)) {
    case 0:
    case 1:
      publish(i);
      break;
    case 2:
      repeat_publish(i);
      break;
    case 3:
      call(i, [&](Ledger& ledger) {
        ledger.merge_some(1 + static_cast<std::uint32_t>(random_.below(6)));
      });
      break;
    case 4:
      freeze(i, nodes_[i].lanes[j], random_.chance(0.3));
      break;
    case 5:
      send(i, j);
      break;
    case 6:
    case 7:
      if (!network_.empty()) {
        deliver(random_.below(network_.size()));
      }
      break;
    case 8:
      receipt(i, j);
      break;
    default:
      if (random_.chance(0.5)) {
        serve_subscriber(i);
      } else {
        call(i,
             [&](Ledger& ledger) { ledger.audit(static_cast<std::uint32_t>(random_.below(30))); });
      }
      break;
  }
}

std::string World::run() {
  for (int i = 0; i < options_.steps && wrong_.empty(); ++i) {
    step();
    if (i % 16 == 0) {
      check_now();
    }
  }
  if (wrong_.empty()) {
    drain();
  }
  if (wrong_.empty()) {
    check_end();
  }
  crash_plan() = {};
  return wrong_;
}

}  // namespace godwit::ledger::test
