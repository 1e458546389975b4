#include "bench/baselines/tcp_async.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/baselines/frame.h"

namespace godwit::baselines {
namespace {

// What waits for one peer, and the frame that is on its way to it.
struct Outbound {
  explicit Outbound(std::size_t elements) : pending(elements), frame(elements) {}

  std::vector<float> pending;  // guarded by the loop's mutex, as is `step`
  std::uint64_t step = 0;      // of the newest delta in `pending`; 0: nothing is pending
  std::vector<float> frame;    // the socket thread's own, as is the rest
  FrameHeader header = {};
  std::size_t sent = 0;
  bool sending = false;
};

struct Inbound {
  explicit Inbound(std::size_t elements) : reader(elements) {}
  FrameReader reader;
};

}  // namespace

class TcpAsync::Loop {
 public:
  Loop(TcpMesh mesh, std::size_t elements)
      : mesh_(std::move(mesh)), inbox_(elements), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    for (std::size_t peer = 0; peer < mesh_.sites(); ++peer) {
      outbound_.emplace_back(peer == mesh_.site() ? 0 : elements);
      inbound_.emplace_back(elements);
    }
    thread_ = std::thread([this] { run(); });
  }

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  ~Loop() {
    stop_.store(true);
    wake();
    thread_.join();
    close(wake_);
  }

  Result<void> publish(std::uint64_t step, std::span<const float> delta) {
    for (std::size_t peer = 0; peer < outbound_.size(); ++peer) {
      if (peer == mesh_.site()) {
        continue;
      }
      const std::lock_guard lock(mutex_);
      Outbound& out = outbound_[peer];
      if (out.step == 0) {
        std::ranges::copy(delta, out.pending.begin());
      } else {
        for (std::size_t i = 0; i < delta.size(); ++i) {
          out.pending[i] += delta[i];
        }
      }
      out.step = step;
    }
    wake();
    const std::lock_guard lock(mutex_);
    return failure_ ? Result<void>(Failure(*failure_)) : Result<void>();
  }

  void collect(std::span<float> parameters) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(arrived_, false)) {
      return;
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i] += inbox_[i];
      inbox_[i] = 0.0F;
    }
  }

  std::string description() const { return mesh_.description(); }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
  }

  void run() {
    std::vector<std::byte> buffer(kReadBytes);
    while (!stop_.load()) {
      std::vector<pollfd> entries{{.fd = wake_, .events = POLLIN, .revents = 0}};
      for (std::size_t peer = 0; peer < outbound_.size(); ++peer) {
        if (peer != mesh_.site()) {
          const bool busy = start_frame(outbound_[peer]);
          // A negative descriptor is one that poll passes over.
          entries.push_back(
              {.fd = busy ? mesh_.outgoing(peer) : -1, .events = POLLOUT, .revents = 0});
          entries.push_back({.fd = mesh_.incoming(peer), .events = POLLIN, .revents = 0});
        }
      }
      poll(entries.data(), entries.size(), 1000);
      std::uint64_t count = 0;
      [[maybe_unused]] const auto drained = read(wake_, &count, sizeof count);
      std::size_t at = 1;
      for (std::size_t peer = 0; peer < outbound_.size(); ++peer) {
        if (peer == mesh_.site()) {
          continue;
        }
        Result<void> done;
        if ((entries[at++].revents & (POLLOUT | POLLERR | POLLHUP)) != 0) {
          done = send_some(outbound_[peer], mesh_.outgoing(peer));
        }
        if (done && (entries[at].revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
          done = receive_some(inbound_[peer], mesh_.incoming(peer), buffer);
        }
        ++at;
        if (!done) {
          const std::lock_guard lock(mutex_);
          failure_ = done.error();
          return;
        }
      }
    }
  }

  // Makes what is pending the next frame when the last one has left. True while there is one.
  bool start_frame(Outbound& out) {
    if (!out.sending) {
      const std::lock_guard lock(mutex_);
      if (out.step != 0) {
        out.pending.swap(out.frame);
        out.header = {.magic = kFrameMagic,
                      .count = static_cast<std::uint32_t>(out.frame.size()),
                      .number = std::exchange(out.step, 0)};
        out.sent = 0;
        out.sending = true;
      }
    }
    return out.sending;
  }

  static Result<void> send_some(Outbound& out, int fd) {
    const std::size_t total = sizeof out.header + out.frame.size() * sizeof(float);
    std::array<iovec, 2> parts = {};
    std::size_t count = 0;
    if (out.sent < sizeof out.header) {
      parts[count++] = {
          .iov_base = static_cast<std::byte*>(static_cast<void*>(&out.header)) + out.sent,
          .iov_len = sizeof out.header - out.sent};
    }
    const std::size_t payload_sent = out.sent - std::min(out.sent, sizeof out.header);
    parts[count++] = {
        .iov_base = static_cast<std::byte*>(static_cast<void*>(out.frame.data())) + payload_sent,
        .iov_len = out.frame.size() * sizeof(float) - payload_sent};
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        return {};
      }
      return fail(Code::kClosed, "sending: {}", error_text(errno));
    }
    out.sent += static_cast<std::size_t>(sent);
    out.sending = out.sent < total;
    return {};
  }

  Result<void> receive_some(Inbound& in, int fd, std::span<std::byte> buffer) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) {
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return {};
      }
      return fail(Code::kClosed, "a site has closed its connection");
    }
    const std::lock_guard lock(mutex_);
    const auto fed = in.reader.feed(buffer.first(static_cast<std::size_t>(got)),
                                    false,
                                    [this](std::size_t first, std::span<const float> values) {
                                      for (std::size_t i = 0; i < values.size(); ++i) {
                                        inbox_[first + i] += values[i];
                                      }
                                    });
    arrived_ = true;
    return fed ? Result<void>() : Result<void>(Failure(fed.error()));
  }

  TcpMesh mesh_;
  std::mutex mutex_;
  std::vector<Outbound> outbound_;
  std::vector<Inbound> inbound_;
  std::vector<float> inbox_;      // guarded: the sum of what arrived since the last collect
  bool arrived_ = false;          // guarded
  std::optional<Error> failure_;  // guarded
  std::atomic<bool> stop_{false};
  int wake_;
  std::thread thread_;
};

TcpAsync::TcpAsync(MeshOptions options, std::size_t elements)
    : options_(std::move(options)), elements_(elements) {}
TcpAsync::~TcpAsync() = default;

Result<void> TcpAsync::connect(Instant deadline) {
  auto mesh = TcpMesh::connect(options_, deadline);
  if (!mesh) {
    return Failure(mesh.error());
  }
  loop_ = std::make_unique<Loop>(std::move(*mesh), elements_);
  return {};
}

Result<void> TcpAsync::publish(std::uint64_t step, std::span<const float> delta) {
  return loop_->publish(step, delta);
}

Result<void> TcpAsync::collect(std::uint64_t /*step*/, std::span<float> parameters) {
  loop_->collect(parameters);
  return {};
}

std::string TcpAsync::description() const {
  return loop_->description() + ", asynchronous";
}

}  // namespace godwit::baselines
