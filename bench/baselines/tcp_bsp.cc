#include "bench/baselines/tcp_bsp.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include "bench/baselines/frame.h"
#include "dataplane/base/assert.h"

namespace godwit::baselines {
namespace {

constexpr int kLookAroundMs = 200;  // how often a waiting site looks whether it should end

}  // namespace

TcpBsp::TcpBsp(MeshOptions options,
               std::size_t elements,
               std::uint64_t local_steps,
               bool (*cancelled)())
    : options_(std::move(options)),
      local_steps_(local_steps),
      cancelled_(cancelled),
      pending_(elements),
      inbox_(elements),
      message_(sizeof(FrameHeader) + elements * sizeof(float)),
      buffer_(kReadBytes) {
  GODWIT_ASSERT(local_steps >= 1);
}

Result<void> TcpBsp::connect(Instant deadline) {
  auto mesh = TcpMesh::connect(options_, deadline);
  if (!mesh) {
    return Failure(mesh.error());
  }
  mesh_ = std::move(*mesh);
  return {};
}

Result<void> TcpBsp::publish(std::uint64_t /*step*/, std::span<const float> delta) {
  for (std::size_t i = 0; i < delta.size(); ++i) {
    pending_[i] += delta[i];
  }
  return {};
}

Result<void> TcpBsp::collect(std::uint64_t step, std::span<float> parameters) {
  if (step % local_steps_ != 0) {
    return {};
  }
  const std::uint64_t round = step / local_steps_;
  const FrameHeader header = {
      .magic = kFrameMagic, .count = static_cast<std::uint32_t>(pending_.size()), .number = round};
  std::memcpy(message_.data(), &header, sizeof header);
  std::memcpy(message_.data() + sizeof header, pending_.data(), pending_.size() * sizeof(float));
  std::ranges::fill(pending_, 0.0F);
  std::ranges::fill(inbox_, 0.0F);
  if (auto done = exchange_round(round); !done) {
    return done;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] += inbox_[i];
  }
  return {};
}

Result<void> TcpBsp::send_some(std::size_t peer, std::size_t& sent) {
  const ssize_t put = send(mesh_->outgoing(peer),
                           message_.data() + sent,
                           message_.size() - sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
  if (put >= 0) {
    sent += static_cast<std::size_t>(put);
  } else if (errno != EAGAIN && errno != EINTR) {
    return fail(Code::kClosed, "sending to site {}: {}", peer, error_text(errno));
  }
  return {};
}

// Sends this round's message to everybody and reads exactly one frame from everybody. A peer may
// already be sending its next frame; that stays in the socket.
Result<void> TcpBsp::exchange_round(std::uint64_t round) {
  struct State {
    FrameReader reader;
    std::size_t sent = 0;
    std::size_t left = 0;  // bytes of the frame that have not been read
  };
  std::vector<State> states(mesh_->sites(), State{FrameReader(inbox_.size()), 0, message_.size()});
  states[mesh_->site()].sent = message_.size();
  states[mesh_->site()].left = 0;
  const auto add = [this](std::size_t first, std::span<const float> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      inbox_[first + i] += values[i];
    }
  };
  while (!cancelled_()) {
    std::vector<pollfd> entries;
    for (std::size_t peer = 0; peer < states.size(); ++peer) {
      // A negative descriptor is one that poll passes over.
      const bool writes = states[peer].sent < message_.size();
      entries.push_back(
          {.fd = writes ? mesh_->outgoing(peer) : -1, .events = POLLOUT, .revents = 0});
      const bool reads = states[peer].left > 0;
      entries.push_back({.fd = reads ? mesh_->incoming(peer) : -1, .events = POLLIN, .revents = 0});
    }
    if (std::ranges::all_of(entries, [](const pollfd& entry) { return entry.fd < 0; })) {
      return {};
    }
    poll(entries.data(), entries.size(), kLookAroundMs);
    for (std::size_t peer = 0; peer < states.size(); ++peer) {
      State& state = states[peer];
      if (entries[2 * peer].revents != 0) {
        if (auto sent = send_some(peer, state.sent); !sent) {
          return sent;
        }
      }
      if (entries[2 * peer + 1].revents == 0) {
        continue;
      }
      const ssize_t got = recv(mesh_->incoming(peer),
                               buffer_.data(),
                               std::min(buffer_.size(), state.left),
                               MSG_DONTWAIT);
      if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
          continue;
        }
        return fail(Code::kClosed, "site {} has closed its connection", peer);
      }
      const auto bytes = static_cast<std::size_t>(got);
      const auto fed = state.reader.feed(std::span(buffer_).first(bytes), true, add);
      if (!fed) {
        return Failure(fed.error());
      }
      state.left -= bytes;
      if (state.left == 0 && state.reader.number() != round) {
        return fail(Code::kCorrupt,
                    "site {} sent round {} in round {}",
                    peer,
                    state.reader.number(),
                    round);
      }
    }
  }
  return {};
}

std::string TcpBsp::description() const {
  return fmt::format("{}, bulk-synchronous every {} steps", mesh_->description(), local_steps_);
}

}  // namespace godwit::baselines
