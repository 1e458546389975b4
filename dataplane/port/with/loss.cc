#include "dataplane/port/with/loss.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace godwit::port {

LossPort::LossPort(std::unique_ptr<Port> port,
                   const LossChannel& sent,
                   const LossChannel& received,
                   std::uint64_t seed)
    : Decorator(std::move(port)),
      sent_{.conditions = sent, .counters = {}},
      received_{.conditions = received, .counters = {}},
      random_(seed),
      kept_(inner().capabilities().train_bytes_max) {}

bool LossPort::loses(Channel& channel) {
  const LossChannel& conditions = channel.conditions;
  if (random_.chance(channel.is_bad ? conditions.to_good : conditions.to_bad)) {
    channel.is_bad = !channel.is_bad;
  }
  const bool lost = random_.chance(channel.is_bad ? conditions.loss_bad : conditions.loss_good);
  ++channel.counters.offered;
  channel.counters.lost += lost ? 1 : 0;
  return lost;
}

std::size_t LossPort::keep(Channel& channel, const Train& train, std::byte* to) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
    const std::size_t bytes = std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at);
    if (!loses(channel)) {
      std::memmove(to + kept, train.bytes.data() + at, bytes);
      kept += bytes;
    }
  }
  return kept;
}

std::size_t LossPort::receive(Instant now, std::span<Train> out) {
  std::size_t count = 0;
  // What was lost made room: ask again, or the caller would take the port for empty.
  for (std::size_t came = 1; came > 0 && count < out.size();) {
    came = inner().receive(now, out.subspan(count));
    const std::size_t end = count + came;
    for (std::size_t index = count; index < end; ++index) {
      Train train = out[index];
      const std::size_t kept = keep(received_, train, train.bytes.data());
      if (kept == 0) {
        inner().release({&train, 1});
        continue;
      }
      if (kept < train.bytes.size()) {
        shortened_.push_back(train);
        train.bytes = train.bytes.first(kept);
      }
      out[count++] = train;
    }
  }
  return count;
}

void LossPort::release(std::span<const Train> trains) {
  for (const Train& train : trains) {
    const auto whole =
        std::find_if(shortened_.begin(), shortened_.end(), [&train](const Train& candidate) {
          return candidate.bytes.data() == train.bytes.data();
        });
    if (whole == shortened_.end()) {
      inner().release({&train, 1});
    } else {
      inner().release({&*whole, 1});
      shortened_.erase(whole);
    }
  }
}

std::size_t LossPort::transmit(Instant now, std::span<const Train> trains) {
  for (std::size_t taken = 0; taken < trains.size(); ++taken) {
    Train train = trains[taken];
    kept_.resize(std::max(kept_.size(), train.bytes.size()));
    const std::size_t kept = keep(sent_, train, kept_.data());
    train.bytes = std::span(kept_).first(kept);
    if (kept > 0 && inner().transmit(now, {&train, 1}) == 0) {
      return taken;
    }
  }
  return trains.size();
}

}  // namespace godwit::port
