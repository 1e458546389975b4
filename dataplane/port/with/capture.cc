#include "dataplane/port/with/capture.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/port/with/capture_file.h"
#include "dataplane/port/with/decorator.h"
#include "dataplane/port/with/headers.h"

namespace godwit::port {
namespace {

// So long a packet may stay in memory. Chosen: who looks at a running capture does not notice.
constexpr Duration kFlushPeriod = Duration::ms(500);

enum class Direction : std::uint8_t {
  kIn,
  kOut,
};

class CapturePort final : public Decorator {
 public:
  CapturePort(std::unique_ptr<Port> port, std::unique_ptr<CaptureFile> file, std::int64_t at_zero)
      : Decorator(std::move(port)), file_(std::move(file)), unix_ns_at_zero_(at_zero) {}

  std::size_t receive(Instant now, std::span<Train> out) override {
    const std::size_t count = inner().receive(now, out);
    for (const Train& train : out.first(count)) {
      write(now, Direction::kIn, train);
    }
    if (now >= flush_at_) {
      flush_at_ = now + kFlushPeriod;
      file_->flush();
    }
    return count;
  }
  std::size_t transmit(Instant now, std::span<const Train> trains) override {
    const std::size_t taken = inner().transmit(now, trains);
    for (const Train& train : trains.first(taken)) {
      write(now, Direction::kOut, train);
    }
    return taken;
  }

 private:
  void write(Instant now, Direction direction, const Train& train) {
    const Peer own = train.local.has_host() ? train.local.with_port(local().udp_port()) : local();
    Datagram datagram{.from = direction == Direction::kIn ? train.peer : own,
                      .to = direction == Direction::kIn ? own : train.peer,
                      .traffic_class = static_cast<std::uint8_t>(train.dscp << 2U | train.ecn),
                      .payload = {}};
    std::array<std::byte, kHeadersBytesMax> headers{};
    for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
      datagram.payload = train.bytes.subspan(
          at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
      const std::size_t bytes = write_headers(datagram, headers);
      file_->append(unix_ns_at_zero_ + now.ns(), std::span(headers).first(bytes), datagram.payload);
    }
  }

  std::unique_ptr<CaptureFile> file_;
  std::int64_t unix_ns_at_zero_;
  Instant flush_at_ = Instant::from_ns(0);
};

}  // namespace

Result<std::unique_ptr<Port>> with_capture(std::unique_ptr<Port> port,
                                           const CaptureOptions& options) {
  auto file = CaptureFile::create(options.path, options.bytes_max);
  if (!file) {
    return Failure(file.error());
  }
  return std::make_unique<CapturePort>(std::move(port), std::move(*file), options.unix_ns_at_zero);
}

}  // namespace godwit::port
