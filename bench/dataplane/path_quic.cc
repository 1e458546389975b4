#include "bench/dataplane/path_quic.h"

#include <algorithm>
#include <vector>

#include "bench/dataplane/arrivals.h"
#include "bench/dataplane/quic_node.h"
#include "dataplane/base/system_time.h"

namespace godwit::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration kWaitMax = Duration::ms(100);

// As the gateway cuts transfers: 10 ms of the rate, within 4 and 64 KiB.
std::size_t transfer_bytes(BitRate rate) {
  return std::clamp<std::size_t>(rate.bytes_in(Duration::ms(10)).count(), 4 << 10, 64 << 10);
}

class Sender : public NodeUser {
 public:
  explicit Sender(const PathQuicOptions& options)
      : transfer_(transfer_bytes(options.cap), std::byte{7}), every_(options.control_every) {}

  void on_room(Instant now, transport::Session& session) override {
    if (every_ > Duration::zero() && now >= control_at_) {
      if (!session.send_control(now, stamped(now))) {
        ++refused_;
      }
      control_at_ = now + every_;
    }
    while (session.wants_transfer()) {
      session.send_transfer(now, transfer_);
    }
    stats_ = session.stats();
  }
  Duration wait(Instant now) const {
    return every_ > Duration::zero() ? std::min(control_at_ - now, kWaitMax) : kWaitMax;
  }
  Json to_json() const {
    return {{"rtt_smoothed_ms", stats_.rtt_smoothed.to_seconds() * 1e3},
            {"rtt_min_ms", stats_.rtt_min.to_seconds() * 1e3},
            {"packets_sent", stats_.packets_sent},
            {"congestion_window", stats_.congestion_window},
            {"control_refused", refused_}};
  }

 private:
  std::vector<std::byte> transfer_;
  Duration every_;
  Instant control_at_;
  std::uint64_t refused_ = 0;
  transport::SessionStats stats_;
};

class Receiver : public NodeUser {
 public:
  explicit Receiver(Instant began) : arrivals(began) {}
  void on_transfer(Instant now, std::span<const std::byte> bytes) override {
    arrivals.add(now, bytes.size());
  }
  void on_control(Instant, std::span<const std::byte> bytes) override {
    // The clock is read again: decrypting what came with it belongs to the delay.
    arrivals.add_control(system_now(), bytes);
  }
  Arrivals arrivals;
};

Result<std::unique_ptr<QuicNode>> open_node(const PathQuicOptions& options, bool dials) {
  const std::string& folder = options.certificates;
  auto tls = transport::TlsContext::load({.authority = folder + "/ca.pem",
                                          .certificate = folder + "/" + options.site + ".pem",
                                          .key = folder + "/" + options.site + ".key"});
  if (!tls) {
    return tl::unexpected(tls.error());
  }
  return QuicNode::open(std::move(*tls),
                        {.local = options.local,
                         .peer = {.site = options.peer_site,
                                  .address = options.peer,
                                  .link = options.peer_site,
                                  .cap = options.cap,
                                  .rtt_expected = options.rtt_expected},
                         .dials = dials});
}

}  // namespace

Result<Json> send_quic(const PathQuicOptions& options) {
  auto node = open_node(options, true);
  if (!node) {
    return tl::unexpected(node.error());
  }
  Sender sender(options);
  const Instant end = system_now() + options.length;
  for (Instant now = system_now(); now < end; now = system_now()) {
    (*node)->turn(sender, std::min(sender.wait(now), end - now));
  }
  Json json = sender.to_json();
  json["sessions"] = (*node)->sessions();
  return json;
}

Result<Json> receive_quic(const PathQuicOptions& options) {
  auto node = open_node(options, false);
  if (!node) {
    return tl::unexpected(node.error());
  }
  say_ready();
  const Instant began = system_now();
  Receiver receiver(began);
  const Instant end = began + options.length;
  for (Instant now = began; now < end; now = system_now()) {
    (*node)->turn(receiver, std::min(kWaitMax, end - now));
  }
  Json json = receiver.arrivals.to_json();
  json["sessions"] = (*node)->sessions();
  return json;
}

}  // namespace godwit::bench
