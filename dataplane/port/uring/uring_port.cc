#include "dataplane/port/uring/uring_port.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/log.h"

namespace godwit::port {
namespace {

constexpr unsigned kEntries = 256;
constexpr unsigned kCompletions = 4096;
constexpr std::uint16_t kBufferGroup = 1;
// Room for an IPv6 address, rounded up so that the control messages behind it are aligned.
constexpr socklen_t kNameRoom = 32;
static_assert(kNameRoom >= sizeof(sockaddr_in6) && kNameRoom % alignof(cmsghdr) == 0);
// The kernel lays its header, the name and the control messages before the payload.
constexpr std::size_t kHeadRoom = sizeof(io_uring_recvmsg_out) + kNameRoom + kControlRoom;
constexpr std::size_t kStride = kReceiveBytesMax + 256;
static_assert(kHeadRoom <= 256 && kStride % alignof(cmsghdr) == 0);

// The high half of an entry's user data says what it was, the low half which.
enum class Tag : std::uint32_t {
  kReceive = 1,
  kSend = 2,
  kWatch = 3,
  kCancel = 4,
};
constexpr std::uint64_t user_data(Tag tag, std::uint32_t which) {
  return (std::uint64_t{static_cast<std::uint32_t>(tag)} << 32U) | which;
}

}  // namespace

Result<std::unique_ptr<Port>> UringPort::open(const UdpOptions& options) {
  if (options.receive_buffers == 0 || options.receive_buffers > 32'768 ||
      (options.receive_buffers & (options.receive_buffers - 1)) != 0) {
    return fail(Code::kInvalid, "receive buffers must be a power of two up to 32768");
  }
  auto socket = UdpSocket::open(options);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  Descriptor wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (wake.get() < 0) {
    return fail(Code::kIo, "no eventfd: {}", error_text(errno));
  }
  auto port = std::make_unique<UringPort>(std::move(*socket), std::move(wake), options);
  if (auto started = port->start_ring(options); !started) {
    return tl::unexpected(started.error());
  }
  return port;
}

UringPort::UringPort(UdpSocket socket, Descriptor wake, const UdpOptions& options)
    : socket_(std::move(socket)),
      wake_(std::move(wake)),
      buffers_(options.receive_buffers),
      memory_(options.receive_buffers, kStride),
      ready_(options.receive_buffers) {
  watch(wake_.get());
}

Result<void> UringPort::start_ring(const UdpOptions& options) {
  io_uring_params parameters{};
  // Completions are handled when we ask for them, by the one thread that begins.
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
  parameters.cq_entries = kCompletions;
  int status = io_uring_queue_init_params(kEntries, &ring_, &parameters);
  if (status != 0) {
    return fail(Code::kUnsupported, "no io_uring: {}", error_text(-status));
  }
  has_ring_ = true;
  constexpr std::size_t kPage = 4096;
  const std::size_t bytes = options.receive_buffers * sizeof(io_uring_buf);
  if (::posix_memalign(&buffer_ring_memory_, kPage, std::max(bytes, kPage)) != 0) {
    return fail(Code::kIo, "out of memory");
  }
  buffer_ring_ = static_cast<io_uring_buf_ring*>(buffer_ring_memory_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(buffer_ring_memory_);
  registration.ring_entries = options.receive_buffers;
  registration.bgid = kBufferGroup;
  status = io_uring_register_buf_ring(&ring_, &registration, 0);
  if (status != 0) {
    return fail(Code::kUnsupported, "no io_uring buffer ring: {}", error_text(-status));
  }
  io_uring_buf_ring_init(buffer_ring_);
  for (std::size_t index = 0; index < buffers_; ++index) {
    give_back(index);
  }
  receive_shape_.msg_namelen = kNameRoom;
  receive_shape_.msg_controllen = kControlRoom;
  return {};
}

UringPort::~UringPort() {
  if (has_begun_ && is_receiving_) {
    // The kernel keeps socket and buffers as long as the receive runs: end it first.
    if (io_uring_sqe* sqe = entry()) {
      io_uring_prep_cancel64(sqe, user_data(Tag::kReceive, 0), 0);
      sqe->user_data = user_data(Tag::kCancel, 0);
    }
    for (int attempt = 0; attempt < 10 && is_receiving_; ++attempt) {
      __kernel_timespec time{0, 10'000'000};
      io_uring_cqe* completion = nullptr;
      io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &time, nullptr);
      drain();
    }
  }
  if (has_ring_) {
    io_uring_queue_exit(&ring_);
  }
  std::free(buffer_ring_memory_);  // NOLINT(cppcoreguidelines-no-malloc): of posix_memalign
}

void UringPort::begin() {
  if (!has_begun_) {
    has_begun_ = true;
    // liburing 2.3 declares io_uring_enable_rings and does not export it.
    const long status =
        ::syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    GODWIT_ASSERT(status == 0, "io_uring was set up and will not start");
  }
}

io_uring_sqe* UringPort::entry() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void UringPort::give_back(std::size_t buffer) {
  io_uring_buf_ring_add(buffer_ring_,
                        memory_.at(buffer),
                        static_cast<unsigned>(kStride),
                        static_cast<std::uint16_t>(buffer),
                        io_uring_buf_ring_mask(static_cast<std::uint32_t>(buffers_)),
                        0);
  io_uring_buf_ring_advance(buffer_ring_, 1);
}

void UringPort::arm() {
  begin();
  if (!is_receiving_) {
    if (io_uring_sqe* sqe = entry()) {
      io_uring_prep_recvmsg_multishot(sqe, socket_.descriptor(), &receive_shape_, 0);
      sqe->flags |= IOSQE_BUFFER_SELECT;
      sqe->buf_group = kBufferGroup;
      sqe->user_data = user_data(Tag::kReceive, 0);
      is_receiving_ = true;
    }
  }
  for (Watched& watched : watched_) {
    if (!watched.is_armed) {
      if (io_uring_sqe* sqe = entry()) {
        // One shot: asked again before every wait, which makes it level-triggered.
        io_uring_prep_poll_add(sqe, watched.descriptor, POLLIN);
        sqe->user_data = user_data(Tag::kWatch, watched.generation);
        watched.is_armed = true;
      }
    }
  }
}

void UringPort::on_received(const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_MORE) == 0) {
    is_receiving_ = false;
  }
  if (completion.res < 0) {
    if (completion.res == -ENOBUFS) {
      ++counters_.receive_starved;
    } else if (completion.res != -ECANCELED) {
      ++counters_.receive_errors;
    }
    return;
  }
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) {
    ++counters_.receive_errors;
    return;
  }
  const std::size_t buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
  std::optional<Train> train;
  io_uring_recvmsg_out* out =
      io_uring_recvmsg_validate(memory_.at(buffer), completion.res, &receive_shape_);
  if (out != nullptr) {
    ReceivedControl told;
    for (cmsghdr* control = io_uring_recvmsg_cmsg_firsthdr(out, &receive_shape_);
         control != nullptr;
         control = io_uring_recvmsg_cmsg_nexthdr(out, &receive_shape_, control)) {
      told.read(*control);
    }
    const unsigned length = io_uring_recvmsg_payload_length(out, completion.res, &receive_shape_);
    train = received_train(
        io_uring_recvmsg_name(out),
        std::min<socklen_t>(out->namelen, kNameRoom),
        {static_cast<std::byte*>(io_uring_recvmsg_payload(out, &receive_shape_)), length},
        static_cast<int>(out->flags),
        told);
  }
  if (!train) {
    ++counters_.receive_errors;
    give_back(buffer);
    return;
  }
  ++counters_.trains_received;
  counters_.packets_received += packets_of(*train);
  counters_.bytes_received += train->bytes.size();
  ready_.push_back(*train);
}

void UringPort::on_watched(std::uint64_t tag) {
  const auto generation = static_cast<std::uint32_t>(tag);
  for (Watched& watched : watched_) {
    if (watched.generation == generation) {
      watched.is_armed = false;
      if (watched.descriptor == wake_.get()) {
        std::uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t cleared = ::read(wake_.get(), &wakes, sizeof(wakes));
      }
    }
  }
}

void UringPort::on_completion(const io_uring_cqe& completion) {
  switch (static_cast<Tag>(completion.user_data >> 32U)) {
    case Tag::kReceive:
      on_received(completion);
      break;
    case Tag::kSend:
      results_[completion.user_data & 0xffffffffU] = completion.res;
      --sends_under_way_;
      break;
    case Tag::kWatch:
      on_watched(completion.user_data);
      break;
    case Tag::kCancel:
      break;
  }
}

void UringPort::drain() {
  std::array<io_uring_cqe*, 64> completions{};
  for (;;) {
    const unsigned count = io_uring_peek_batch_cqe(
        &ring_, completions.data(), static_cast<unsigned>(completions.size()));
    for (unsigned index = 0; index < count; ++index) {
      on_completion(*completions[index]);
    }
    io_uring_cq_advance(&ring_, count);
    if (count < completions.size()) {
      return;
    }
  }
}

std::size_t UringPort::receive(Instant, std::span<Train> out) {
  if (!is_receiving_) {
    arm();
    io_uring_submit(&ring_);
  }
  if (ready_.size() < out.size()) {
    drain();
  }
  const std::size_t count = std::min(out.size(), ready_.size());
  for (Train& train : out.first(count)) {
    train = ready_.pop_front();
  }
  return count;
}

void UringPort::release(std::span<const Train> trains) {
  for (const Train& train : trains) {
    give_back(memory_.index_of(train.bytes.data()));
  }
}

// Books the results of a submission; false: the kernel's queue is full, the rest waits.
bool UringPort::settle_sends(std::span<const Train> trains, std::size_t& taken) {
  const std::size_t done = done_with(std::span(results_).first(trains.size()));
  for (std::size_t index = 0; index < done; ++index) {
    const Train& train = trains[index];
    int error = results_[index] < 0 ? -results_[index] : 0;
    if ((error == EIO || error == EINVAL) && packets_of(train) > 1) {
      error = socket_.send_singly(train);
    }
    if (error != 0) {
      ++counters_.send_errors;  // lost, as on a network; the transport sends again
      continue;
    }
    ++counters_.trains_sent;
    counters_.packets_sent += packets_of(train);
    counters_.bytes_sent += train.bytes.size();
  }
  taken += done;
  counters_.send_busy += done < trains.size() ? 1U : 0U;
  return done == trains.size();
}

std::size_t UringPort::transmit(Instant, std::span<const Train> trains) {
  begin();
  std::size_t taken = 0;
  while (taken < trains.size()) {
    const auto part = trains.subspan(taken, std::min(trains.size() - taken, kSendsMax));
    for (std::size_t index = 0; index < part.size(); ++index) {
      io_uring_sqe* sqe = entry();
      GODWIT_ASSERT(sqe != nullptr, "the submission queue holds every send");
      socket_.prepare(part[index], outgoing_[index]);
      // Does not wait for room: it answers EAGAIN within the submission.
      io_uring_prep_sendmsg(sqe, socket_.descriptor(), &outgoing_[index].header, MSG_DONTWAIT);
      sqe->user_data = user_data(Tag::kSend, static_cast<std::uint32_t>(index));
    }
    sends_under_way_ = part.size();
    io_uring_submit(&ring_);
    drain();
    while (sends_under_way_ > 0) {
      io_uring_submit_and_wait(&ring_, 1);
      drain();
    }
    if (!settle_sends(part, taken)) {
      break;
    }
  }
  return taken;
}

void UringPort::wait(Duration at_most) {
  if (at_most <= Duration::zero() || !ready_.empty()) {
    return;
  }
  arm();
  constexpr std::int64_t kSecond = 1'000'000'000;
  __kernel_timespec time{at_most.count_ns() / kSecond, at_most.count_ns() % kSecond};
  io_uring_cqe* completion = nullptr;
  io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &time, nullptr);
  drain();
}

void UringPort::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void UringPort::watch(int descriptor) {
  watched_.push_back({.descriptor = descriptor, .generation = ++generation_, .is_armed = false});
}

void UringPort::unwatch(int descriptor) {
  for (const Watched& watched : watched_) {
    if (watched.descriptor == descriptor && watched.is_armed) {
      if (io_uring_sqe* sqe = entry()) {
        io_uring_prep_poll_remove(sqe, user_data(Tag::kWatch, watched.generation));
        sqe->user_data = user_data(Tag::kCancel, 0);
      }
      io_uring_submit(&ring_);
    }
  }
  std::erase_if(watched_, [descriptor](const Watched& w) { return w.descriptor == descriptor; });
}

}  // namespace godwit::port
