#include "dataplane/port/epoll/epoll_port.h"

#include <algorithm>
#include <cerrno>
#include <numeric>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/port/epoll/await_epoll.h"

namespace godwit::port {

Result<std::unique_ptr<Port>> EpollPort::open(const UdpOptions& options) {
  auto socket = UdpSocket::open(options);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  Descriptor wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (epoll.get() < 0 || wake.get() < 0) {
    return fail(Code::kIo, "no epoll or eventfd: {}", error_text(errno));
  }
  return std::make_unique<EpollPort>(
      std::move(*socket), std::move(epoll), std::move(wake), options);
}

EpollPort::EpollPort(UdpSocket socket, Descriptor epoll, Descriptor wake, const UdpOptions& options)
    : socket_(std::move(socket)),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      memory_(options.receive_buffers, kReceiveBytesMax),
      free_(options.receive_buffers) {
  std::iota(free_.begin(), free_.end(), std::size_t{0});
  watch(socket_.descriptor());
  watch(wake_.get());
}

std::size_t EpollPort::receive_burst(std::span<Train> out, bool& is_drained) {
  struct Room {
    std::array<mmsghdr, kBurst> headers{};
    std::array<iovec, kBurst> vectors{};
    std::array<sockaddr_storage, kBurst> names{};
    std::array<std::size_t, kBurst> buffers{};
    alignas(cmsghdr) std::array<std::array<std::byte, kControlRoom>, kBurst> controls{};
  };
  Room room;
  const std::size_t count = std::min({out.size(), kBurst, free_.size()});
  for (std::size_t index = 0; index < count; ++index) {
    room.buffers[index] = free_.back();
    free_.pop_back();
    room.vectors[index] = {memory_.at(room.buffers[index]), kReceiveBytesMax};
    msghdr& header = room.headers[index].msg_hdr;
    header.msg_iov = &room.vectors[index];
    header.msg_iovlen = 1;
    header.msg_name = &room.names[index];
    header.msg_namelen = sizeof(room.names[index]);
    header.msg_control = room.controls[index].data();
    header.msg_controllen = kControlRoom;
  }
  const int received = ::recvmmsg(socket_.descriptor(),
                                  room.headers.data(),
                                  static_cast<unsigned>(count),
                                  MSG_DONTWAIT,
                                  nullptr);
  if (received < 0 && errno != EAGAIN && errno != EINTR) {
    ++counters_.receive_errors;
  }
  const std::size_t taken = received > 0 ? static_cast<std::size_t>(received) : 0;
  is_drained = taken < count;
  std::size_t trains = 0;
  for (std::size_t index = 0; index < count; ++index) {
    std::optional<Train> train;
    if (index < taken) {
      msghdr& header = room.headers[index].msg_hdr;
      ReceivedControl told;
      for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
           control = CMSG_NXTHDR(&header, control)) {
        told.read(*control);
      }
      train = received_train(header.msg_name,
                             header.msg_namelen,
                             {memory_.at(room.buffers[index]), room.headers[index].msg_len},
                             header.msg_flags,
                             told);
      if (!train) {
        ++counters_.receive_errors;
      }
    }
    if (train) {
      out[trains++] = *train;
      ++counters_.trains_received;
      counters_.packets_received += packets_of(*train);
      counters_.bytes_received += train->bytes.size();
    } else {
      free_.push_back(room.buffers[index]);
    }
  }
  return trains;
}

std::size_t EpollPort::receive(Instant, std::span<Train> out) {
  std::size_t count = 0;
  bool is_drained = false;
  while (count < out.size() && !is_drained) {
    if (free_.empty()) {
      ++counters_.receive_starved;
      break;
    }
    count += receive_burst(out.subspan(count), is_drained);
  }
  return count;
}

void EpollPort::release(std::span<const Train> trains) {
  for (const Train& train : trains) {
    free_.push_back(memory_.index_of(train.bytes.data()));
  }
  GODWIT_ASSERT(free_.size() <= memory_.count(), "a train was released twice");
}

std::size_t EpollPort::transmit(Instant, std::span<const Train> trains) {
  std::size_t sent = 0;
  while (sent < trains.size()) {
    std::array<mmsghdr, kBurst> headers{};
    const std::size_t count = std::min(trains.size() - sent, kBurst);
    for (std::size_t index = 0; index < count; ++index) {
      socket_.prepare(trains[sent + index], outgoing_[index]);
      headers[index].msg_hdr = outgoing_[index].header;
    }
    const int done = ::sendmmsg(
        socket_.descriptor(), headers.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
    std::size_t taken = done > 0 ? static_cast<std::size_t>(done) : 0;
    if (done < 0) {
      int error = errno;
      if (is_busy(error)) {
        ++counters_.send_busy;
        return sent;
      }
      if ((error == EIO || error == EINVAL) && packets_of(trains[sent]) > 1) {
        error = socket_.send_singly(trains[sent]);
      }
      if (error != 0) {
        ++counters_.send_errors;
        ++sent;  // lost, as on a network; the transport sends again
        continue;
      }
      taken = 1;
    }
    for (const Train& train : trains.subspan(sent, taken)) {
      ++counters_.trains_sent;
      counters_.packets_sent += packets_of(train);
      counters_.bytes_sent += train.bytes.size();
    }
    sent += taken;
  }
  return sent;
}

void EpollPort::wait(Duration at_most) {
  if (at_most <= Duration::zero()) {
    return;
  }
  std::array<epoll_event, 8> events{};
  for (const epoll_event& event : std::span(events).first(await_epoll(epoll_, events, at_most))) {
    if (event.data.fd == wake_.get()) {
      std::uint64_t wakes = 0;
      [[maybe_unused]] const ssize_t cleared = ::read(wake_.get(), &wakes, sizeof(wakes));
    }
  }
}

void EpollPort::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void EpollPort::watch(int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  const int status = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
  GODWIT_ASSERT(status == 0, "watched twice, or not pollable");
}

void EpollPort::unwatch(int descriptor) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

}  // namespace godwit::port
