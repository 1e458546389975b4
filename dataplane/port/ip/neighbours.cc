#include "dataplane/port/ip/neighbours.h"

#include <algorithm>

#include "dataplane/base/assert.h"

namespace godwit::port::ip {

Neighbours::~Neighbours() {
  for (Entry& entry : entries_) {
    device_.release({entry.held.data(), entry.held_count});
  }
}

void Neighbours::add_static(const Address& address, const Mac& mac) {
  Entry& entry = entries_[index_of(Instant::from_ns(0), address)];
  entry.state = State::kStatic;
  entry.has_mac = true;
  entry.mac = mac;
}

Neighbours::Entry* Neighbours::find(const Address& address) {
  for (Entry& entry : entries_) {
    if (entry.state != State::kAbsent && entry.address == address) {
      return &entry;
    }
  }
  return nullptr;
}

std::size_t Neighbours::index_of(Instant now, const Address& address) {
  Entry* entry = find(address);
  if (entry == nullptr) {
    // Absent ones first, static ones never: there are fewer of them than entries.
    const auto rank = [](const Entry& one) { return std::pair(one.state, one.used); };
    entry = &*std::min_element(entries_.begin(), entries_.end(), [&](const auto& a, const auto& b) {
      return rank(a) < rank(b);
    });
    GODWIT_ASSERT(entry->state != State::kStatic);
    drop_held(*entry, entry->held_count);
    *entry = {.state = State::kLearned, .address = address, .used = now};
  }
  return static_cast<std::size_t>(entry - entries_.data());
}

const Mac* Neighbours::use(Instant now, std::size_t index) {
  Entry& entry = entries_[index];
  entry.used = now;
  const bool is_old = !entry.has_mac || now - entry.confirmed > kFreshFor;
  if (entry.state == State::kLearned && is_old && !entry.is_asking) {
    entry.is_asking = true;
    entry.asks = 0;
    entry.ask_at = now;
    next_question_ = std::min(next_question_, now);
  }
  return entry.has_mac ? &entry.mac : nullptr;
}

void Neighbours::drop_held(Entry& entry, std::size_t count) {
  device_.release({entry.held.data(), count});
  std::copy(entry.held.begin() + static_cast<std::ptrdiff_t>(count),
            entry.held.begin() + static_cast<std::ptrdiff_t>(entry.held_count),
            entry.held.begin());
  entry.held_count -= count;
  held_total_ -= count;
  counters_.dropped += count;
}

void Neighbours::hold(std::size_t index, const Frame& frame) {
  Entry& entry = entries_[index];
  // The latest is worth most: what was waiting longest may have been repeated since.
  if (entry.held_count == kHeldMax || (held_total_ == kHeldTotalMax && entry.held_count > 0)) {
    drop_held(entry, 1);
  }
  if (held_total_ == kHeldTotalMax) {
    device_.release({&frame, 1});
    ++counters_.dropped;
    return;
  }
  entry.held[entry.held_count++] = frame;
  ++held_total_;
}

Neighbours::Confirmed Neighbours::confirm(
    Instant now, const Address& address, const Mac& mac, bool overrides, Held& released) {
  Entry* entry = find(address);
  if (entry == nullptr || entry->state == State::kStatic) {
    return {};
  }
  Confirmed confirmed;
  if (entry->has_mac && entry->mac != mac) {
    if (!overrides || now - entry->confirmed < kLockedFor) {
      return {};
    }
    ++counters_.changed;
    confirmed.replaced = entry->mac;
  }
  entry->mac = mac;
  entry->has_mac = true;
  entry->is_asking = false;
  entry->unanswered_since = Instant::never();
  entry->confirmed = now;
  std::copy_n(entry->held.begin(), entry->held_count, released.begin());
  held_total_ -= entry->held_count;
  confirmed.released = std::exchange(entry->held_count, 0);
  return confirmed;
}

bool Neighbours::may_ask(Instant now, const Address& address) {
  Entry* entry = find(address);
  return entry != nullptr && entry->answers.take(now);
}

std::optional<Neighbours::Question> Neighbours::poll_question(Instant now) {
  if (now < next_question_) {
    return std::nullopt;
  }
  next_question_ = Instant::never();
  for (Entry& entry : entries_) {
    if (!entry.is_asking) {
      continue;
    }
    if (entry.ask_at <= now && entry.asks == kAsksMax) {
      ++counters_.given_up;
      entry.is_asking = false;
      entry.has_mac = false;
      drop_held(entry, entry.held_count);
      continue;
    }
    if (entry.ask_at <= now) {
      ++entry.asks;
      entry.unanswered_since = std::min(entry.unanswered_since, now);
      entry.ask_at = now + kAskInterval;
      next_question_ = now;  // there may be more that are due
      return Question{entry.address, entry.has_mac ? std::optional(entry.mac) : std::nullopt};
    }
    next_question_ = std::min(next_question_, entry.ask_at);
  }
  return std::nullopt;
}

void Neighbours::make_stale() {
  for (Entry& entry : entries_) {
    entry.confirmed = Instant::from_ns(0) - kFreshFor - kLockedFor;
  }
}

}  // namespace godwit::port::ip
