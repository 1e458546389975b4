// Physical quantities as types: durations, instants, byte counts and bit rates.
//
// No naked number crosses a module boundary. All arithmetic is on 64-bit integers; nanoseconds
// cover 292 years, bits per second cover any link.
//
// Time: an Instant is a point on one process's monotonic axis; it never means the time of day.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace godwit {

// A length of time in nanoseconds; may be negative as the result of a subtraction.
class Duration {
 public:
  constexpr Duration() = default;

  static constexpr Duration ns(std::int64_t n) { return Duration(n); }
  static constexpr Duration us(std::int64_t n) { return Duration(n * 1'000); }
  static constexpr Duration ms(std::int64_t n) { return Duration(n * 1'000'000); }
  static constexpr Duration seconds(double s) {
    return Duration(static_cast<std::int64_t>(s * 1e9));
  }
  static constexpr Duration zero() { return Duration(0); }
  static constexpr Duration max() { return Duration(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t count_ns() const { return ns_; }
  constexpr std::int64_t count_us() const { return ns_ / 1'000; }
  constexpr std::int64_t count_ms() const { return ns_ / 1'000'000; }
  constexpr double to_seconds() const { return static_cast<double>(ns_) * 1e-9; }

  constexpr Duration operator-() const { return Duration(-ns_); }
  constexpr Duration operator+(Duration other) const { return Duration(ns_ + other.ns_); }
  constexpr Duration operator-(Duration other) const { return Duration(ns_ - other.ns_); }
  constexpr Duration operator*(std::int64_t factor) const { return Duration(ns_ * factor); }
  constexpr Duration operator/(std::int64_t divisor) const { return Duration(ns_ / divisor); }
  constexpr Duration& operator+=(Duration other) { return *this = *this + other; }
  constexpr Duration& operator-=(Duration other) { return *this = *this - other; }
  constexpr auto operator<=>(const Duration&) const = default;

 private:
  explicit constexpr Duration(std::int64_t n) : ns_(n) {}
  std::int64_t ns_ = 0;
};

// A point on the monotonic axis, in nanoseconds since an origin that means nothing.
class Instant {
 public:
  constexpr Instant() = default;

  static constexpr Instant from_ns(std::int64_t n) { return Instant(n); }
  // Later than every instant that a time source returns.
  static constexpr Instant never() { return Instant(std::numeric_limits<std::int64_t>::max()); }

  constexpr std::int64_t ns() const { return ns_; }

  // Adding to `never` (or past it) stays `never`.
  constexpr Instant operator+(Duration d) const {
    if (d.count_ns() > 0 && ns_ > std::numeric_limits<std::int64_t>::max() - d.count_ns()) {
      return never();
    }
    return *this == never() ? never() : Instant(ns_ + d.count_ns());
  }
  constexpr Instant operator-(Duration d) const {
    return *this == never() ? never() : Instant(ns_ - d.count_ns());
  }
  constexpr Duration operator-(Instant other) const { return Duration::ns(ns_ - other.ns_); }
  constexpr Instant& operator+=(Duration d) { return *this = *this + d; }
  constexpr auto operator<=>(const Instant&) const = default;

 private:
  explicit constexpr Instant(std::int64_t n) : ns_(n) {}
  std::int64_t ns_ = 0;
};

// A number of bytes.
class Bytes {
 public:
  constexpr Bytes() = default;
  explicit constexpr Bytes(std::uint64_t n) : n_(n) {}

  static constexpr Bytes kib(std::uint64_t n) { return Bytes(n << 10); }
  static constexpr Bytes mib(std::uint64_t n) { return Bytes(n << 20); }

  constexpr std::uint64_t count() const { return n_; }

  constexpr Bytes operator+(Bytes other) const { return Bytes(n_ + other.n_); }
  // Saturates at zero: a count of bytes is never negative.
  constexpr Bytes operator-(Bytes other) const { return Bytes(n_ > other.n_ ? n_ - other.n_ : 0); }
  constexpr Bytes& operator+=(Bytes other) { return *this = *this + other; }
  constexpr auto operator<=>(const Bytes&) const = default;

 private:
  std::uint64_t n_ = 0;
};

// A rate in bits per second. The default is zero; `unlimited()` means that nobody set a bound.
class BitRate {
 public:
  constexpr BitRate() = default;

  static constexpr BitRate bps(std::uint64_t n) { return BitRate(n); }
  static constexpr BitRate mbps(double n) { return BitRate(static_cast<std::uint64_t>(n * 1e6)); }
  static constexpr BitRate unlimited() {
    return BitRate(std::numeric_limits<std::uint64_t>::max());
  }

  constexpr std::uint64_t bits_per_second() const { return bps_; }
  constexpr double bytes_per_second() const { return static_cast<double>(bps_) / 8.0; }
  constexpr bool is_unlimited() const { return *this == unlimited(); }

  // How long `bytes` occupy a line of this rate, rounded up to the nanosecond. Zero when the rate
  // is unlimited, Duration::max() when it is zero.
  constexpr Duration time_for(Bytes bytes) const {
    if (is_unlimited()) {
      return Duration::zero();
    }
    if (bps_ == 0) {
      return Duration::max();
    }
    const auto bits = static_cast<Wide>(bytes.count()) * 8;
    const Wide nanoseconds = (bits * 1'000'000'000 + bps_ - 1) / bps_;
    const Wide longest = std::numeric_limits<std::int64_t>::max();
    return Duration::ns(static_cast<std::int64_t>(nanoseconds < longest ? nanoseconds : longest));
  }

  // What a line of this rate carries in `time`, rounded down. `time` must not be negative; the
  // result saturates at 2^64-1.
  constexpr Bytes bytes_in(Duration time) const {
    const Wide bits = static_cast<Wide>(bps_) * static_cast<std::uint64_t>(time.count_ns());
    const Wide bytes = bits / 8'000'000'000U;
    const Wide most = std::numeric_limits<std::uint64_t>::max();
    return Bytes(static_cast<std::uint64_t>(bytes < most ? bytes : most));
  }

  constexpr auto operator<=>(const BitRate&) const = default;

 private:
  __extension__ using Wide = unsigned __int128;
  explicit constexpr BitRate(std::uint64_t n) : bps_(n) {}
  std::uint64_t bps_ = 0;
};

}  // namespace godwit
