#include "dataplane/port/dpdk/steering.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/port/ip/addressee.h"

namespace godwit::port {
namespace {

std::span<const std::byte> read_only(const rte_mbuf* frame) {
  return {rte_pktmbuf_mtod(frame, const std::byte*), frame->data_len};
}

// How many frames wait, as one of the ring's two ends sees it. DPDK's own functions for this read
// the far end without an order.
unsigned waiting(const rte_ring* ring) {
  const std::uint32_t written = __atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE);
  const std::uint32_t read = __atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE);
  return written - read;
}

}  // namespace

Result<std::unique_ptr<Steering>> Steering::make(std::uint16_t workers,
                                                 std::uint16_t udp_port_first) {
  std::unique_ptr<Steering> made(new Steering(workers, udp_port_first));
  if (auto done = made->set_up(); !done) {
    return Failure(done.error());
  }
  return made;
}

Result<void> Steering::set_up() {
  const rte_mbuf_dynflag flag{.name = "godwit_dynflag_copy", .flags = 0};
  const int bit = rte_mbuf_dynflag_register(&flag);
  if (bit < 0) {
    return fail(Code::kFull, "DPDK's buffers have no flag left: {}", rte_strerror(rte_errno));
  }
  copy_flag_ = std::uint64_t{1} << static_cast<unsigned>(bit);
  for (Inbox& inbox : inboxes_) {
    inbox.bell = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (inbox.bell.get() < 0) {
      return fail(Code::kIo, "no eventfd: {}", error_text(errno));
    }
  }
  const unsigned others = workers_ - 1U;
  ring_frames_ =
      std::clamp(std::bit_floor(kHandedOverMax / others), kRingFramesMin, kRingFramesMax);
  constexpr std::size_t kAlignment = alignof(rte_ring);
  const auto bytes = static_cast<std::size_t>(rte_ring_get_memsize(ring_frames_));
  for (std::size_t index = 0; index < std::size_t{workers_} * workers_; ++index) {
    auto& ring = rings_.emplace_back();
    if (index / workers_ == index % workers_) {
      continue;
    }
    ring.reset(static_cast<rte_ring*>(
        std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment)));
    if (ring == nullptr ||
        rte_ring_init(ring.get(), "godwit", ring_frames_, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
      return fail(Code::kFull, "no memory for rings between {} workers", workers_);
    }
  }
  return {};
}

Steering::~Steering() {
  for (const auto& ring : rings_) {
    void* frame = nullptr;
    while (ring != nullptr && rte_ring_sc_dequeue(ring.get(), &frame) == 0) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
  }
}

void Steering::open(std::uint16_t worker) {
  inboxes_[worker].is_open.store(true, std::memory_order_release);
}

void Steering::close(std::uint16_t worker) {
  inboxes_[worker].is_open.store(false, std::memory_order_release);
  std::array<rte_mbuf*, 32> frames{};
  while (const std::size_t count = take(worker, frames)) {
    rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(count));
  }
}

std::size_t Steering::sort(std::uint16_t worker, std::span<rte_mbuf*> frames, Counts& counts) {
  std::size_t kept = 0;
  std::uint64_t called = 0;  // workers that got something, a bit each: bells ring after the burst
  for (rte_mbuf* frame : frames) {
    const ip::Addressee addressee = ip::addressee_of(read_only(frame));
    // A port below the first becomes one far above the last.
    const auto owner = static_cast<std::uint16_t>(addressee.udp_port - udp_port_first_);
    if (addressee.kind == ip::Addressee::Kind::kPort && owner < workers_ && owner != worker) {
      hand_over(worker, owner, frame, counts);
      called |= std::uint64_t{1} << owner;
      continue;
    }
    if (addressee.kind == ip::Addressee::Kind::kEveryone) {
      copy_to_others(worker, frame, counts);
      called = ~std::uint64_t{0};
    }
    frames[kept++] = frame;
  }
  for (std::size_t to = 0; called != 0 && to < workers_; ++to) {
    if (to != worker && (called >> to & 1U) != 0) {
      ring_bell(to);
    }
  }
  return kept;
}

void Steering::hand_over(std::size_t from, std::size_t to, rte_mbuf* frame, Counts& counts) {
  ++counts.handed_over;
  if (!inboxes_[to].is_open.load(std::memory_order_acquire) ||
      rte_ring_sp_enqueue(ring(from, to), frame) != 0) {
    ++counts.missed;
    rte_pktmbuf_free(frame);
  }
}

// An exchange on either side, so that one of the two sees the other: see `doze`.
void Steering::ring_bell(std::size_t to) {
  Inbox& inbox = inboxes_[to];
  if (inbox.is_dozing.exchange(false, std::memory_order_acq_rel)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(inbox.bell.get(), &one, sizeof(one));
  }
}

void Steering::copy_to_others(std::size_t from, rte_mbuf* frame, Counts& counts) {
  for (std::size_t to = 0; to < workers_; ++to) {
    if (to == from) {
      continue;
    }
    const bool has_room = waiting(ring(from, to)) < ring_frames_ / 2;
    rte_mbuf* copy = has_room ? rte_pktmbuf_copy(frame, frame->pool, 0, frame->pkt_len) : nullptr;
    if (copy == nullptr) {
      ++counts.handed_over;
      ++counts.missed;
      continue;
    }
    copy->ol_flags |= copy_flag_;
    hand_over(from, to, copy, counts);
  }
}

std::size_t Steering::take(std::uint16_t worker, std::span<rte_mbuf*> out) {
  Inbox& inbox = inboxes_[worker];
  std::size_t count = 0;
  for (std::size_t turn = 0; turn < workers_ && count < out.size(); ++turn) {
    const std::size_t from = inbox.next;
    inbox.next = (inbox.next + 1) % workers_;
    if (from == worker) {
      continue;
    }
    std::array<void*, 32> got{};
    const unsigned taken =
        rte_ring_sc_dequeue_burst(ring(from, worker),
                                  got.data(),
                                  static_cast<unsigned>(std::min(got.size(), out.size() - count)),
                                  nullptr);
    for (void* frame : std::span(got).first(taken)) {
      out[count++] = static_cast<rte_mbuf*>(frame);
    }
  }
  return count;
}

bool Steering::is_copy(const rte_mbuf& frame) const {
  return (frame.ol_flags & copy_flag_) != 0;
}

bool Steering::doze(std::uint16_t worker) {
  inboxes_[worker].is_dozing.exchange(true, std::memory_order_acq_rel);
  for (std::size_t from = 0; from < workers_; ++from) {
    if (from != worker && waiting(ring(from, worker)) > 0) {
      rouse(worker);
      return false;
    }
  }
  return true;
}

void Steering::rouse(std::uint16_t worker) {
  inboxes_[worker].is_dozing.exchange(false, std::memory_order_acq_rel);
}

}  // namespace godwit::port
