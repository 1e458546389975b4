// What carries all links, and what is wrong with it, as text.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/cli/report.h"
#include "api/cli/text.h"
#include "dataplane/base/plain.h"

namespace godwit::cli {
namespace {

// "what count, what count", of those that happened.
class Counts {
 public:
  void add(std::string_view what, std::uint64_t count) {
    if (count > 0) {
      all_.push_back(fmt::format("{} {}", plain(std::string(what)), human_count(count)));
    }
  }
  std::string line(std::string_view title) const {
    return all_.empty() ? "" : fmt::format("  {}: {}\n", title, fmt::join(all_, ", "));
  }

 private:
  std::vector<std::string> all_;
};

}  // namespace

std::string to_text(const admin::PortReport& report) {
  if (report.kind().empty()) {
    return "";  // of a gateway that does not tell
  }
  std::string out = fmt::format("port {}{}  {}  {}  sent {}, received {} datagrams",
                                plain(report.kind()),
                                report.device().empty() ? "" : " on " + plain(report.device()),
                                plain(report.local_address()),
                                report.link_up() ? "up" : "DOWN",
                                human_count(report.sent_packets()),
                                human_count(report.received_packets()));
  if (report.sent_frames() + report.received_frames() > 0) {
    out += fmt::format(" in {} and {} frames",
                       human_count(report.sent_frames()),
                       human_count(report.received_frames()));
  }
  Counts troubles;
  troubles.add("send_busy", report.send_busy());
  troubles.add("send_error", report.send_errors());
  troubles.add("receive_error", report.receive_errors());
  troubles.add("receive_starved", report.receive_starved());
  troubles.add("receive_dropped", report.receive_dropped());
  troubles.add("neighbour_changed", report.neighbours_changed());
  troubles.add("neighbour_given_up", report.neighbours_given_up());
  troubles.add("link_down", report.link_downs());
  Counts refused;
  for (const auto& refusal : report.refusals()) {
    refused.add(refusal.reason(), refusal.frames());
  }
  out += "\n" + troubles.line("troubles") + refused.line("frames refused");
  for (const auto& one : report.address_conflicts()) {
    out += fmt::format(" ! port.address_conflict  {}  {} ago: also used by the host with MAC {}\n",
                       plain(one.address()),
                       human_duration(one.seen_ns()),
                       plain(one.mac()));
  }
  for (const auto& one : report.silent_neighbours()) {
    out += fmt::format(" ! port.neighbour_silent  {}  {}: does not answer\n",
                       plain(one.address()),
                       human_duration(one.silent_ns()));
  }
  return out;
}

}  // namespace godwit::cli
