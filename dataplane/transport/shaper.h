// Keeps a link below the operator's rate, and below what its path carries: a virtual clock in
// layer-3 bytes, shared by the link's sessions. Where several workers send on a link, each has a
// shaper, and they share the cap (shared_cap.h).
//
// Each packet moves the virtual clock on by its time at 97 % of the cap, or at the estimate's pace
// where that is less (rate_estimate.h); a train may start when the clock is not ahead of `now`.
// In front of the congestion controller this leaves the bottleneck's queue empty (measured: 1 ms
// instead of 91 ms mean queue, no tail drops).
//
// A late wake-up is made good up to a credit in time and in bytes, idleness never. At the cap what
// is beyond a train's time is made good bit by bit, by the share of the cap that is left free: at
// once it would fill the bottleneck's queue, in front of the next control message. Only of a host
// that is late again and again, so that more is owed than can be had in this way, the rest is made
// good at once. (All of it where workers share the cap, or where the path bounds the rate: there is
// no free share then.)
//
// A link may yield to others on its path (yielding_rate.h): with all that it carries, or with its
// bulk alone. Bulk has a virtual clock of its own then, which is asked before a transfer is chosen.
//
// Time: sans-I/O. Thread: one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/rate_estimate.h"
#include "dataplane/transport/shared_cap.h"
#include "dataplane/transport/yielding_rate.h"

namespace godwit::transport {

class LinkShaper {
 public:
  // Share of the cap that is used. Measured: 97 % fills the link and builds no queue.
  static constexpr double kShare = 0.97;
  // How much lost time may be made good by sending faster: a worker's longest turn (measured: 6 ms
  // with three sites on two busy cores; at 2 ms the link then carried 40 % of its cap), but no more
  // bytes than every router on the way buffers (chosen), or, on a fast link, a late wake-up.
  static constexpr Duration kCreditTimeMax = Duration::ms(10);
  static constexpr Bytes kCreditBytes = Bytes(64 * 1024);
  static constexpr Duration kCreditTimeMin = Duration::ms(2);
  // What is made good bit by bit at most: two thirds of a second of the free share. Chosen.
  static constexpr Duration kOwedMax = Duration::ms(20);
  // The longest train in packets and in time, so that a choice is bound at most this early, and a
  // control message waits at most so long for one. Measured over 50 Mbit/s: with half of a quantum
  // instead of a whole one, 99 of 100 messages come 0.4 ms sooner, for a twentieth more of the
  // gateway's processor time.
  static constexpr std::size_t kTrainPacketsMax = 16;
  static constexpr Duration kTrainTime = Duration::us(500);
  // Layer-3 overhead of a datagram, bytes: UDP with IPv4 and IPv6.
  static constexpr std::size_t kOverheadV4 = 28;
  static constexpr std::size_t kOverheadV6 = 48;
  static constexpr std::size_t overhead(bool is_v6) { return is_v6 ? kOverheadV6 : kOverheadV4; }

  // What is used of a cap.
  static BitRate usable(BitRate cap);
  // How much lost time is made good at a rate.
  static Duration credit_at(BitRate rate);

  // unlimited(): the estimate alone shapes. `shared`: the same cap, kept together with others.
  explicit LinkShaper(BitRate cap = BitRate::unlimited(), SharedCap* shared = nullptr);

  void set_cap(BitRate cap, SharedCap* shared = nullptr);
  BitRate cap() const { return cap_; }
  bool has_cap() const { return !cap_.is_unlimited(); }
  // Without a cap nothing does.
  void set_yields(Yields yields);
  Yields yields() const { return yields_; }
  // The link's newest session goes between these hosts. When that is another path than before, what
  // was learnt of the former one is forgotten, and only sessions on the new one tell of arrivals.
  void use_path(const port::Peer& local, const port::Peer& remote);
  bool is_on_path(const port::Peer& local, const port::Peer& remote) const {
    return local_.same_host(local) && remote_.same_host(remote);
  }
  // Acknowledgements came in.
  void on_arrival(Instant now, const RateEstimate::Arrival& arrival);
  // For so long something waited for this shaper, or for the congestion controller behind it.
  void on_held(Duration time) { estimate_.on_held(time); }
  const RateEstimate& estimate() const { return estimate_; }
  // The rate that is kept now; unlimited() while neither a cap nor the path bounds it.
  BitRate rate() const { return rate_; }
  // What to plan with: the cap's share, of a shared cap what the other workers leave of it, or what
  // the path carries if that is less; without a cap and a bound what was delivered, zero while
  // nothing was. Of a link that yields the cap's share: what others leave is not the path's.
  BitRate expected() const;
  // Whether nothing but the cap bounds the rate.
  bool is_at_cap() const { return has_cap() && rate_ >= most(); }

  // When the next train may start.
  Instant ready_at() const { return share_ ? std::max(clock_, share_->ready_at()) : clock_; }
  bool allows(Instant now) const { return ready_at() <= now; }
  // Packets of `packet_bytes` (layer 3) the train that starts now may hold: at least 2, at most
  // kTrainPacketsMax, kTrainPacketsUncapped without a cap.
  std::size_t train_packets(std::size_t packet_bytes) const;
  static constexpr std::size_t kTrainPacketsUncapped = 44;  // 64 KB at 1,452 bytes: one GSO call
  // Books what was sent at `now`. Only who has waited since ready_at() may make lost time good:
  // idleness earns nothing.
  void charge(Instant now, std::uint64_t layer3_bytes, bool has_waited);

  // When the next bulk transfer may be queued, where bulk alone yields; else at any time.
  Instant bulk_ready_at() const {
    return yields_ == Yields::kBulk ? bulk_clock_ : Instant::from_ns(0);
  }
  void charge_bulk(Instant now, std::uint64_t bytes);

 private:
  // The most that is ever sent.
  BitRate most() const { return usable(cap_); }
  // What is ours whatever other workers do.
  BitRate due() const { return share_ ? share_->whole().part() : most(); }
  void set_rate(BitRate rate);

  BitRate cap_;
  BitRate rate_;
  Duration credit_ = kCreditTimeMin;
  Duration owed_;  // is made good bit by bit
  Instant clock_ = Instant::from_ns(0);
  std::optional<CapShare> share_;
  RateEstimate estimate_;
  port::Peer local_;
  port::Peer remote_;

  Yields yields_ = Yields::kNothing;
  YieldingRate yielding_;
  Instant bulk_clock_ = Instant::from_ns(0);
};

}  // namespace godwit::transport
