// Attaching a ledger to its mapping, and the small things.

#include "dataplane/ledger/ledger.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "dataplane/base/assert.h"
#include "dataplane/base/crash_point.h"
#include "dataplane/ledger/state.h"

namespace godwit::ledger {

namespace {

Result<void> check_field(const char* name, std::uint64_t stored, std::uint64_t wanted) {
  if (stored == wanted) {
    return {};
  }
  return fail(Code::kInvalid,
              "ledger: {} is {} in the stored state and {} in the configuration; restore the "
              "configuration, or remove the state as an operator's act",
              name,
              stored,
              wanted);
}

Result<void> check_stored(const HeaderRecord& stored, const Shape& shape) {
  if (stored.magic != kLayoutMagic) {
    return fail(Code::kUnsupported,
                "ledger: the file is not a ledger; restore it, or remove it as an operator's act");
  }
  if (stored.version != kLayoutVersion) {
    return fail(Code::kUnsupported,
                "ledger: layout version {}, this build knows {}",
                stored.version,
                kLayoutVersion);
  }
  const std::array<Result<void>, 9> checks = {
      check_field("topic", stored.topic, shape.topic.value()),
      check_field("shard", stored.shard, shape.shard),
      check_field("site", stored.site, shape.site.value()),
      check_field("element_count", stored.element_count, shape.element_count),
      check_field("lanes_out", stored.lanes_out, shape.lanes_out),
      check_field("lanes_in", stored.lanes_in, shape.lanes_in),
      check_field("inboxes", stored.inboxes, shape.inboxes),
      check_field("ring_bytes", stored.ring_bytes, shape.ring_bytes),
      check_field("seed", stored.seed, shape.seed ? 1 : 0),
  };
  for (const auto& check : checks) {
    if (!check) {
      return check;
    }
  }
  return {};
}

Result<HeaderRecord> read_header(memory::Mapping& mapping) {
  HeaderRecord stored{};
  if (auto room = mapping.reserve(0, std::min<std::uint64_t>(mapping.size(), sizeof(stored)));
      !room) {
    return Failure(room.error());
  }
  std::memcpy(&stored, mapping.bytes().data(), sizeof(stored));
  return stored;
}

void create(State& state, Incarnation incarnation) {
  HeaderRecord fresh{};
  fresh.version = kLayoutVersion;
  fresh.topic = state.shape.topic.value();
  fresh.shard = state.shape.shard;
  fresh.site = state.shape.site.value();
  fresh.element_count = state.shape.element_count;
  fresh.lanes_out = state.shape.lanes_out;
  fresh.lanes_in = state.shape.lanes_in;
  fresh.inboxes = state.shape.inboxes;
  fresh.ring_bytes = state.shape.ring_bytes;
  fresh.seed = state.shape.seed ? 1 : 0;
  fresh.incarnation = incarnation.packed();
  state.header() = fresh;
  GODWIT_CRASH_POINT();
  // A process killed before this store leaves a mapping without magic, which is created again.
  std::atomic_ref<std::uint64_t>(state.header().magic)
      .store(kLayoutMagic, std::memory_order_release);
  GODWIT_CRASH_POINT();
}

// The mutant of sending before the freeze is durable: a restart forgets the last transfer's number.
void forget_last_transfer(State& state, std::uint32_t slot) {
  LaneRecord& record = state.lane(slot);
  if (record.next_k - 1 > record.frontier) {
    const TransferRecord& last = state.transfer(slot, record.next_k - 1);
    record.cumulative = field_subtract(record.cumulative, last.checksum);
    record.checksum_s = field_subtract(record.checksum_s, last.checksum);
    record.next_k -= 1;
  }
}

Result<void> recover(State& state) {
  for (std::uint32_t i = 0; i < state.shape.lanes_in; ++i) {
    if (state.incoming(i).used == 0) {
      continue;
    }
    if (auto room =
            state.mapping.reserve(state.layout.incoming_window(i), state.layout.incoming_stride);
        !room) {
      return room;
    }
    if (auto finished = state.finish_intent(i); !finished) {
      return finished;
    }
  }
  for (std::uint32_t i = 0; i < state.shape.lanes_out; ++i) {
    const LaneRecord& record = state.lane(i);
    if (record.used == 0) {
      if (record.generation != 0) {
        state.drop_storage(i);  // perhaps it was killed between closing and dropping
      }
      continue;
    }
    if (GODWIT_MUTANT(kSendBeforeFreeze)) {
      forget_last_transfer(state, i);
    }
    state.rebuild_lane(i);
    if (record.building_tiles != 0) {
      state.seal(i);
    }
  }
  for (std::uint32_t i = 0; i < state.shape.inboxes; ++i) {
    if (GODWIT_MUTANT(kSafeBeforeCommit)) {
      state.inbox(i).pending = 0;
    }
    if (state.inbox(i).closed != 0 && state.inbox(i).pending == 0) {
      state.drop_staging(i);  // perhaps it was killed between closing and dropping
    }
  }
  for (std::uint64_t block = 0; block < state.shape.block_count(); ++block) {
    state.p_bounds[block] = kBoundUnknown;
  }
  return {};
}

}  // namespace

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::~Ledger() = default;

Result<bool> Ledger::exists(memory::Mapping& mapping) {
  const auto stored = read_header(mapping);
  return stored ? Result<bool>(stored->magic != 0) : Failure(stored.error());
}

Result<std::unique_ptr<Ledger>> Ledger::attach(memory::Mapping& mapping,
                                               const Shape& shape,
                                               Incarnation incarnation,
                                               Workspace& workspace) {
  if (auto checked = check_shape(shape); !checked) {
    return Failure(checked.error());
  }
  const Layout layout(shape);
  // Looked at before anything else, so that a file that is refused is not changed.
  const auto stored = read_header(mapping);
  if (!stored) {
    return Failure(stored.error());
  }
  const bool exists = stored->magic != 0;
  if (exists) {
    if (auto checked = check_stored(*stored, shape); !checked) {
      return Failure(checked.error());
    }
  }
  if (mapping.size() != layout.total) {
    return fail(Code::kInvalid,
                "ledger: a mapping of {} bytes for a layout of {}",
                mapping.size(),
                layout.total);
  }
  if (auto room = mapping.reserve(0, layout.fixed_bytes); !room) {
    return Failure(room.error());
  }
  auto state = std::make_unique<State>(mapping, shape, workspace);
  state->recovered = exists;
  if (!exists) {
    // Only the header may have been begun; over anything else nothing is created.
    const auto rest = mapping.part(layout.redo, layout.fixed_bytes - layout.redo);
    if (std::any_of(rest.begin(), rest.end(), [](std::byte b) { return b != std::byte{}; })) {
      return fail(
          Code::kCorrupt,
          "ledger: the file holds records and no header; restore the state, or remove it as "
          "an operator's act");
    }
    create(*state, incarnation);
  } else {
    if (auto repeated = state->redo.recover(); !repeated) {
      return Failure(repeated.error());
    }
    if (auto sound = state->check_records(); !sound) {
      return Failure(sound.error());
    }
    if (auto recovered = recover(*state); !recovered) {
      return Failure(recovered.error());
    }
  }
  return std::unique_ptr<Ledger>(new Ledger(std::move(state)));
}

const Shape& Ledger::shape() const {
  return state_->shape;
}

Incarnation Ledger::incarnation() const {
  return Incarnation::from_packed(state_->header().incarnation);
}

bool Ledger::recovered() const {
  return state_->recovered;
}

Result<void> Ledger::write_seed(std::uint64_t first, std::span<const float> values) {
  State& state = *state_;
  if (!state.shape.seed || first > state.shape.element_count ||
      values.size() > state.shape.element_count - first) {
    return fail(Code::kInvalid,
                "seed: elements {}+{} of {}, the topic keeps {} seed",
                first,
                values.size(),
                state.shape.element_count,
                state.shape.seed ? "a" : "no");
  }
  const std::uint64_t offset = state.layout.seed + (first * sizeof(float));
  if (auto room = state.mapping.reserve(offset, values.size_bytes()); !room) {
    return room;
  }
  if (!values.empty()) {
    std::memcpy(&state.at<float>(offset), values.data(), values.size_bytes());
  }
  return {};
}

Result<void> Ledger::read_seed(std::uint32_t tile, std::span<float> out) const {
  const State& state = *state_;
  GODWIT_ASSERT(tile < state.shape.tile_count() && out.size() == kTileElements);
  if (!state.shape.seed) {
    return fail(Code::kNotFound, "seed: the topic keeps none");
  }
  const std::uint64_t offset = state.layout.seed + (tile * kTileBytes / 2);
  if (auto room = state.mapping.reserve(offset, kTileBytes / 2); !room) {
    return room;
  }
  std::memcpy(out.data(), &state.at<float>(offset), out.size_bytes());
  return {};
}

std::uint64_t Ledger::bytes_used() const {
  return state_->mapping.storage_bytes();
}

std::uint64_t Ledger::bytes_bound() const {
  return storage_bound(state_->shape, occupancy());
}

Occupancy Ledger::occupancy() const {
  Occupancy found;
  for (std::uint32_t i = 0; i < state_->shape.lanes_out; ++i) {
    const LaneRecord& record = state_->lane(i);
    found.lane_slots += record.generation != 0 ? 1U : 0U;
    if (record.used != 0) {
      ++(state_->is_subscriber(i) ? found.subscriber_lanes : found.site_lanes);
    }
  }
  for (std::uint32_t i = 0; i < state_->shape.inboxes; ++i) {
    const InboxRecord& record = state_->inbox(i);
    found.inboxes += record.used != 0 && (record.closed == 0 || record.pending != 0) ? 1U : 0U;
  }
  return found;
}

}  // namespace godwit::ledger
