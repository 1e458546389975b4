// Publishers' side of the ledger: staging, committing and merging into P.

#include <algorithm>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

std::uint64_t last_block_of(const InboxRecord& record) {
  return (record.first + record.count - 1) / kBlockElements;
}

// The elements of `block` inside [first, first + count): begin and end within the block.
std::pair<std::uint32_t, std::uint32_t> overlap(std::uint64_t block,
                                                std::uint64_t first,
                                                std::uint64_t count) {
  const std::uint64_t block_first = block * kBlockElements;
  const std::uint64_t begin = std::max(first, block_first);
  const std::uint64_t end = std::min(first + count, block_first + kBlockElements);
  if (begin >= end) {
    return {0, 0};
  }
  return {static_cast<std::uint32_t>(begin - block_first),
          static_cast<std::uint32_t>(end - block_first)};
}

// A slot that another publisher may take.
bool is_reusable(const InboxRecord& record) {
  const bool keeps_step = record.named != 0 && record.last_step != 0;
  return record.used == 0 || (record.closed != 0 && record.pending == 0 && !keeps_step);
}

struct BlockExtreme {
  std::uint64_t max = 0;
  std::uint64_t element = 0;  // of the first value over the limit, when max exceeds it
  std::int64_t value = 0;
};

// |P + committed publishes + this one| over one block, element by element.
BlockExtreme exact_bound(const State& state,
                         std::uint32_t inbox,
                         std::uint64_t block,
                         const PublishRequest& request,
                         std::uint64_t limit) {
  std::array<std::int64_t, kBlockElements> sum{};
  if (state.tile(static_cast<std::uint32_t>(block / kTileBlocks)).p_last != 0) {
    const auto p = state.block_at(state.layout.p, block);
    std::copy(p.begin(), p.end(), sum.begin());
  }
  for (std::uint32_t other = 0; other < state.shape.inboxes; ++other) {
    const InboxRecord& record = state.inbox(other);
    if (record.used == 0 || record.pending == 0 || block < record.next_block) {
      continue;
    }
    const auto [begin, end] = overlap(block, record.first, record.count);
    const auto staged = state.block_at(state.layout.staging(other), block);
    for (std::uint32_t i = begin; i < end; ++i) {
      sum[i] = wrapping_add(sum[i], staged[i]);
    }
  }
  const auto [begin, end] = overlap(block, request.first, request.count);
  const auto mine = state.block_at(state.layout.staging(inbox), block);
  BlockExtreme extreme;
  for (std::uint32_t i = 0; i < kBlockElements; ++i) {
    std::int64_t total = sum[i];
    const bool overflow = i >= begin && i < end && __builtin_add_overflow(sum[i], mine[i], &total);
    const std::uint64_t size = overflow ? kBoundUnknown - 1 : magnitude(total);
    if (size > limit && extreme.max <= limit) {
      extreme.element = (block * kBlockElements) + i;
      extreme.value = i >= begin && i < end ? mine[i] : 0;
    }
    extreme.max = std::max(extreme.max, size);
  }
  return extreme;
}

}  // namespace

std::uint64_t State::merged_through() const {
  const int oldest = oldest_pending();
  return oldest < 0 ? header().last_publish
                    : inbox(static_cast<std::uint32_t>(oldest)).last_publish - 1;
}

void State::drop_staging(std::uint32_t slot) {
  mapping.release(layout.staging(slot), layout.array_bytes);
}

int State::oldest_pending() const {
  int oldest = -1;
  for (std::uint32_t i = 0; i < shape.inboxes; ++i) {
    const InboxRecord& record = inbox(i);
    if (record.used != 0 && record.pending != 0 &&
        (oldest < 0 ||
         record.last_publish < inbox(static_cast<std::uint32_t>(oldest)).last_publish)) {
      oldest = static_cast<int>(i);
    }
  }
  return oldest;
}

int State::inbox_of(PublisherId publisher) const {
  for (std::uint32_t i = 0; i < shape.inboxes; ++i) {
    if (inbox(i).used != 0 && inbox(i).publisher == publisher.value()) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

Result<InboxIndex> Ledger::open_inbox(PublisherId publisher,
                                      Incarnation incarnation,
                                      PublisherKind kind,
                                      std::optional<Incarnation> replaces) {
  State& state = *state_;
  int slot = state.inbox_of(publisher);
  const bool known = slot >= 0;
  for (std::uint32_t i = 0; !known && i < state.shape.inboxes; ++i) {
    const InboxRecord& record = state.inbox(i);
    // A slot never used has `closed` 0 and comes before the longest closed one.
    if (is_reusable(record) &&
        (slot < 0 || record.closed < state.inbox(static_cast<std::uint32_t>(slot)).closed)) {
      slot = static_cast<int>(i);
    }
  }
  if (slot < 0) {
    return fail(Code::kFull,
                "publisher {:016x}: all {} inboxes of the topic are taken, by publishers that are "
                "there and by named ones whose last step is kept",
                publisher.value(),
                state.shape.inboxes);
  }
  InboxRecord& record = state.inbox(static_cast<std::uint32_t>(slot));
  const bool same = known && same_life(record.incarnation, incarnation.packed());
  if (known && !same && replaces && replaces->packed() != record.incarnation) {
    return fail(Code::kRefused,
                "publisher {:016x}: a later process publishes under this name; start this one anew "
                "when that one has ended, or give it another name",
                publisher.value());
  }
  RedoStep step(state.redo);
  step.put_word(record.closed, 0);
  step.put_word(record.named, kind == PublisherKind::kNamed ? 1 : 0);
  if (!known && record.used != 0) {
    step.put_word(state.header().publishers_forgotten, publishers_forgotten() + 1);
  }
  if (!same) {
    step.put_word(record.used, 1);
    step.put_word(record.publisher, publisher.value());
    step.put_word(record.incarnation, incarnation.packed());
    step.put_word(record.last_number, 0);
    if (!known) {
      step.put_word(record.last_step, 0);
      step.put_word(record.last_publish, 0);
      step.put_word(record.pending, 0);
    }
  }
  step.run();
  state.staging[static_cast<std::uint32_t>(slot)] = {};
  return InboxIndex(static_cast<std::uint32_t>(slot));
}

void Ledger::close_inbox(InboxIndex inbox) {
  State& state = *state_;
  GODWIT_ASSERT(inbox.value() < state.shape.inboxes);
  InboxRecord& record = state.inbox(inbox.value());
  state.staging[inbox.value()] = {};
  if (record.used == 0 || record.closed != 0) {
    return;
  }
  const std::uint64_t order = state.header().closings + 1;
  RedoStep step(state.redo);
  step.put_word(record.closed, order);
  step.put_word(state.header().closings, order);
  step.run();
  if (record.pending == 0) {
    state.drop_staging(inbox.value());
  }
}

std::optional<InboxIndex> Ledger::find_inbox(PublisherId publisher) const {
  const int slot = state_->inbox_of(publisher);
  const auto index = static_cast<std::uint32_t>(slot);
  return slot >= 0 && state_->inbox(index).closed == 0 ? std::optional(InboxIndex(index))
                                                       : std::nullopt;
}

Incarnation Ledger::last_process(PublisherId publisher) const {
  const int slot = state_->inbox_of(publisher);
  return slot < 0 ? Incarnation()
                  : Incarnation::from_packed(
                        state_->inbox(static_cast<std::uint32_t>(slot)).incarnation);
}

std::uint64_t Ledger::publishers_forgotten() const {
  return state_->header().publishers_forgotten;
}

InboxInfo Ledger::inbox(InboxIndex inbox) const {
  GODWIT_ASSERT(inbox.value() < state_->shape.inboxes);
  const InboxRecord& record = state_->inbox(inbox.value());
  return {.publisher = PublisherId(record.publisher),
          .kind = record.named != 0 ? PublisherKind::kNamed : PublisherKind::kUnnamed,
          .open = record.used != 0 && record.closed == 0,
          .incarnation = Incarnation::from_packed(record.incarnation),
          .last_number = record.last_number,
          .last_step = record.last_step,
          .last_publish = PublishNumber(record.last_publish),
          .merging = record.pending != 0};
}

Result<Begin> Ledger::begin_publish(InboxIndex inbox, const PublishRequest& request) {
  State& state = *state_;
  GODWIT_ASSERT(inbox.value() < state.shape.inboxes);
  const InboxRecord& record = state.inbox(inbox.value());
  state.staging[inbox.value()] = {};
  if (record.used == 0 || record.closed != 0) {
    return fail(Code::kNotFound, "publish: inbox {} is not open", inbox.value());
  }
  if (request.number == 0) {
    return fail(Code::kInvalid, "publish: number 0, numbers begin with 1");
  }
  if (request.count == 0 || request.first >= state.shape.element_count ||
      request.count > state.shape.element_count - request.first) {
    return fail(Code::kInvalid,
                "publish: elements {}+{} of {}",
                request.first,
                request.count,
                state.shape.element_count);
  }
  const bool repeated = request.number <= record.last_number;
  if (repeated && !GODWIT_MUTANT(kRepeatedPublishMergesTwice)) {
    return Begin::kDuplicate;
  }
  if (request.step != 0 && request.step <= record.last_step &&
      !GODWIT_MUTANT(kRepeatedPublishMergesTwice)) {
    return Begin::kDuplicateStep;
  }
  if (record.pending != 0) {
    return Begin::kBusy;
  }
  Staging& staging = state.staging[inbox.value()];
  staging.active = true;
  staging.request = request;
  return Begin::kFresh;
}

Result<void> Ledger::stage(InboxIndex inbox,
                           std::uint64_t element,
                           std::span<const std::int64_t> values) {
  State& state = *state_;
  GODWIT_ASSERT(inbox.value() < state.shape.inboxes);
  Staging& staging = state.staging[inbox.value()];
  if (!staging.active) {
    return fail(Code::kInvalid, "publish: values before its begin");
  }
  if (element != staging.request.first + staging.staged ||
      values.size() > staging.request.count - staging.staged) {
    return fail(Code::kInvalid,
                "publish: values at {}+{}, expected at {}, {} left",
                element,
                values.size(),
                staging.request.first + staging.staged,
                staging.request.count - staging.staged);
  }
  if (values.empty()) {
    return {};
  }
  const std::uint64_t area = state.layout.staging(inbox.value());
  if (auto room = state.mapping.reserve(area + (element * 8), values.size() * 8); !room) {
    return room;
  }
  staging.staged += values.size();
  std::int64_t* place = &state.at<std::int64_t>(area, element);
  while (!values.empty()) {
    const auto first = static_cast<std::uint32_t>(element % kBlockElements);
    const auto part = values.first(std::min<std::size_t>(values.size(), kBlockElements - first));
    const auto [statistics, sum] =
        state.checksum.add(element / kBlockElements, nullptr, part, place, first);
    staging.max = std::max(staging.max, statistics.max);
    staging.mass += statistics.mass;
    staging.checksum = field_add(staging.checksum, sum);
    values = values.subspan(part.size());
    element += part.size();
    place += part.size();
  }
  return {};
}

Result<PublishNumber> Ledger::commit_publish(InboxIndex inbox, BeyondRange* beyond) {
  State& state = *state_;
  GODWIT_ASSERT(inbox.value() < state.shape.inboxes);
  Staging& staging = state.staging[inbox.value()];
  const PublishRequest request = staging.request;
  if (!staging.active || staging.staged != request.count) {
    return fail(Code::kInvalid,
                "publish: commit after {} of {} values",
                staging.staged,
                staging.active ? request.count : 0);
  }
  // Storage for the merge is taken now, so that nothing can stop it later.
  const std::uint64_t first_block = request.first / kBlockElements;
  const std::uint64_t blocks =
      ((request.first + request.count - 1) / kBlockElements) - first_block + 1;
  if (auto room = state.reserve_tiles(state.layout.p, first_block, blocks); !room) {
    return Failure(room.error());
  }
  InboxRecord& record = state.inbox(inbox.value());
  if (const int own = state.lane_of_publisher(PublisherId(record.publisher)); own >= 0) {
    const std::uint64_t s = state.layout.lane_s(static_cast<std::uint32_t>(own));
    if (auto room = state.reserve_tiles(s, first_block, blocks); !room) {
      return Failure(room.error());
    }
  }
  const auto limit = static_cast<std::uint64_t>(state.shape.magnitude_max());
  for (std::uint64_t block = first_block; block < first_block + blocks; ++block) {
    const std::uint64_t bound = state.p_bounds[block];
    if (bound <= limit && staging.max <= limit - bound) {
      continue;
    }
    const BlockExtreme exact = exact_bound(state, inbox.value(), block, request, limit);
    if (exact.max > limit) {
      // The bounds refined so far speak of sums with this publish.
      std::fill(state.p_bounds.begin() + static_cast<std::ptrdiff_t>(first_block),
                state.p_bounds.begin() + static_cast<std::ptrdiff_t>(block),
                kBoundUnknown);
      staging = {};
      if (beyond != nullptr) {
        *beyond = {.element = exact.element, .value = exact.value};
      }
      return fail(Code::kRefused,
                  "publish: value {} quanta at element {} would take the sum beyond {}",
                  exact.value,
                  exact.element,
                  limit);
    }
    // What this publish adds is put on top below.
    state.p_bounds[block] = exact.max > staging.max ? exact.max - staging.max : 0;
  }
  HeaderRecord& header = state.header();
  const std::uint64_t number = header.last_publish + 1;
  GODWIT_CRASH_POINT();
  RedoStep step(state.redo);
  step.put_word(record.last_number, request.number);
  if (request.step != 0) {
    step.put_word(record.last_step, request.step);
  }
  step.put_word(record.last_publish, number);
  step.put_word(record.first, request.first);
  step.put_word(record.count, request.count);
  step.put_word(record.next_block, first_block);
  step.put_word(record.pending_checksum, staging.checksum);
  step.put_word(record.pending, 1);
  step.put_word(header.last_publish, number);
  step.put_word(header.checksum_accepted, field_add(header.checksum_accepted, staging.checksum));
  step.put_word(header.mass_published, add_mass(header.mass_published, staging.mass));
  step.put_word(header.publishes, header.publishes + 1);
  step.put_word(header.elements_published, header.elements_published + request.count);
  step.run();
  for (std::uint64_t block = first_block; block < first_block + blocks; ++block) {
    state.p_bounds[block] += staging.max;
  }
  staging = {};
  return PublishNumber(number);
}

void Ledger::abandon_publish(InboxIndex inbox) {
  GODWIT_ASSERT(inbox.value() < state_->shape.inboxes);
  state_->staging[inbox.value()] = {};
}

// Merges the next block of a committed publish: one atomic step. Returns whether more remain.
bool State::merge_block(std::uint32_t inbox_slot) {
  InboxRecord& record = inbox(inbox_slot);
  const std::uint64_t block = record.next_block;
  const auto tile_index = static_cast<std::uint32_t>(block / kTileBlocks);
  const auto [begin, end] = overlap(block, record.first, record.count);
  const auto delta = block_at(layout.staging(inbox_slot), block).subspan(begin, end - begin);
  const std::uint64_t offset = (block * kBlockBytes) + (std::uint64_t{begin} * 8);
  const auto p = integers(layout.p + offset, delta.size());

  RedoStep step(redo);
  const auto image = step.image_integers(layout.p + offset, delta.size());
  const auto [statistics, sum] = checksum.add(block, p.data(), delta, image.data(), begin);

  // A publisher's own subscriber lane moves along, so that nothing echoes.
  const int own =
      GODWIT_MUTANT(kEchoOwnPublish) ? -1 : lane_of_publisher(PublisherId(record.publisher));
  if (own >= 0) {
    const auto slot = static_cast<std::uint32_t>(own);
    LaneRecord& lane_record = lane(slot);
    LaneTileRecord& lane_tile_record = lane_tile(slot, tile_index);
    const std::uint64_t s_array = layout.lane_s(slot);
    lane_caches[slot].s_bounds[block] = kBoundUnknown;
    if (s_valid(slot, tile_index) || lane_tile_record.generation == 0) {
      const auto s = integers(s_array + offset, delta.size());
      const auto s_image = step.image_integers(s_array + offset, delta.size());
      add(s.data(), delta, s_image.data());
    } else {
      // The slot's former lane left numbers there: the whole tile begins at zero.
      const auto s_image = step.image_integers(s_array + (tile_index * kTileBytes), kTileElements);
      std::fill(s_image.begin(), s_image.end(), 0);
      const std::uint64_t in_tile = ((block % kTileBlocks) * kBlockElements) + begin;
      std::copy(delta.begin(), delta.end(), s_image.begin() + static_cast<std::ptrdiff_t>(in_tile));
    }
    if (!s_valid(slot, tile_index)) {
      step.put_word(lane_tile_record.generation, lane_record.generation);
      step.put_word(lane_tile_record.clean_to, 0);
    }
    step.put_word(lane_record.checksum_s, field_add(lane_record.checksum_s, sum));
    step.put_word(lane_record.checksum_own, field_add(lane_record.checksum_own, sum));
  }

  const std::uint64_t number = record.last_publish;
  const std::uint64_t left = field_subtract(record.pending_checksum, sum);
  const bool done = block == last_block_of(record);
  step.put_word(header().checksum_p, field_add(header().checksum_p, sum));
  step.put_word(tile(tile_index).p_last, std::max(tile(tile_index).p_last, number));
  step.put_word(record.pending_checksum, left);
  step.put_word(record.next_block, block + 1);
  if (done) {
    step.put_word(record.pending, 0);
  }
  step.run();

  scrub.note(Scrub::Array::kP, 0, block, sum);
  if (own >= 0) {
    scrub.note(Scrub::Array::kS, static_cast<std::uint32_t>(own), block, sum);
  }
  if (statistics.max > 0) {
    activity.note(tile_index, false, statistics.energy, statistics.max, number);
    mark_dirty(tile_index, number, false, own);
  }
  if (done && record.closed != 0) {
    drop_staging(inbox_slot);
  }
  if (done && left != 0) {
    defect("a publish was merged otherwise than it was staged");
  }
  return !done;
}

bool Ledger::merge_some(std::uint32_t blocks_max) {
  State& state = *state_;
  for (std::uint32_t done = 0; done < blocks_max;) {
    const int oldest = state.oldest_pending();
    if (oldest < 0) {
      return false;
    }
    while (done < blocks_max) {
      ++done;
      if (!state.merge_block(static_cast<std::uint32_t>(oldest))) {
        break;
      }
    }
  }
  return state.oldest_pending() >= 0;
}

PublishNumber Ledger::last_publish() const {
  return PublishNumber(state_->header().last_publish);
}

std::uint64_t Ledger::publishes() const {
  return state_->header().publishes;
}

std::uint64_t Ledger::elements_published() const {
  return state_->header().elements_published;
}

PublishNumber Ledger::merged_through() const {
  return PublishNumber(state_->merged_through());
}

std::size_t Ledger::poll_activity(std::span<TileActivity> out) {
  return state_->activity.poll(out);
}

}  // namespace godwit::ledger
