#include "api/cli/report.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/cli/text.h"
#include "dataplane/base/plain.h"

namespace godwit::cli {
namespace {

std::string if_known(std::uint64_t value, std::string (*show)(std::uint64_t)) {
  return value == 0 ? "-" : show(value);
}

std::string connection_name(const admin::LinkReport& link) {
  return link.connections() > 1 ? fmt::format("{}/{}", link.name(), link.connection())
                                : link.name();
}

std::string state_name(admin::LinkReport::State state) {
  switch (state) {
    case admin::LinkReport::STATE_CONNECTING:
      return "connecting";
    case admin::LinkReport::STATE_UP:
      return "up";
    case admin::LinkReport::STATE_DOWN:
      return "DOWN";
    case admin::LinkReport::STATE_REFUSED:
      return "REFUSED";
    default:
      return "unknown";
  }
}

std::string site_list(const google::protobuf::RepeatedPtrField<std::string>& sites) {
  return sites.empty() ? "every site" : plain(fmt::format("{}", fmt::join(sites, " ")));
}

std::string problem_lines(const admin::StatusReport& report) {
  std::string out;
  for (const auto& problem : report.problems()) {
    out += fmt::format(" {} {}  {}{}: {}\n",
                       problem.severity() == admin::Problem::SEVERITY_WARNING ? "-" : "!",
                       plain(problem.reason()),
                       plain(problem.subject()),
                       problem.since_ns() != 0 ? "  " + human_duration(problem.since_ns()) : "",
                       plain(problem.text()));
    if (!problem.command().empty()) {
      out += fmt::format("     next: {}\n", plain(problem.command()));
    }
  }
  return out;
}

template <class Links>
std::string link_table(const Links& links) {
  Table table({"PEER",
               "LINK",
               "STATE",
               "FOR",
               "RTT",
               "SENDING",
               "RECEIVING",
               "PLANNED",
               "CAP",
               "IN FLIGHT",
               "RESENT",
               "RECONNECTS"});
  for (const admin::LinkReport& link : links) {
    table.add({link.peer(),
               connection_name(link),
               state_name(link.state()),
               human_duration(link.in_state_ns()),
               if_known(link.rtt_ns(), human_duration),
               human_rate(link.rate_bps()),
               human_rate(link.received_bps()),
               if_known(link.planned_bps(), human_rate),
               if_known(link.cap_bps(), human_rate),
               human_bytes(link.in_flight_bytes()),
               human_count(link.resent_transfers()),
               human_count(link.reconnects())});
  }
  return table.text();
}

template <class Summaries>
std::string topic_table(const Summaries& topics) {
  Table table(
      {"TOPIC", "ELEMENTS", "PUBLISHES", "REFUSED", "OPEN", "UNRECEIPTED", "MEMORY", "BOUND"});
  for (const admin::TopicSummary& topic : topics) {
    table.add({topic.name(),
               human_count(topic.elements()),
               human_count(topic.publishes()),
               human_count(topic.refused()),
               human_bytes(topic.open_bytes_estimate()),
               human_count(topic.unreceipted_transfers()),
               human_bytes(topic.memory_used_bytes()),
               human_bytes(topic.memory_bound_bytes())});
  }
  return table.text();
}

std::string lane_table(const admin::TopicReport& topic) {
  Table table({"  TO",
               "NEXT K",
               "FRONTIER",
               "UNRECEIPTED",
               "OLDEST",
               "OPEN",
               "AGE",
               "DECAY",
               "COVERED",
               "OF",
               "STATE"});
  for (const admin::LaneReport& lane : topic.lanes()) {
    const std::string state = !lane.reason().empty() ? plain(lane.reason())
                              : !lane.open()         ? "closed"
                              : lane.window_full()   ? "window full"
                                                     : "open";
    table.add(
        {"  " + lane.to(),
         human_count(lane.next_k()),
         human_count(lane.frontier()),
         human_count(lane.unreceipted_transfers()),
         if_known(lane.oldest_unreceipted_ns(), human_duration),
         human_bytes(lane.open_bytes_estimate()),
         if_known(lane.residual_age_ns(), human_duration),
         lane.residual_energy() > 0 ? fmt::format("{:.0f} %/s", 100 * lane.residual_decay()) : "-",
         human_count(lane.covered_to()),
         human_count(lane.published()),
         state});
  }
  return table.text();
}

std::string clock_line(const admin::TopicReport& topic) {
  std::vector<std::string> clocks;
  for (const admin::SiteClock& clock : topic.clocks()) {
    clocks.push_back(
        fmt::format("{} {}{}",
                    plain(clock.site()),
                    clock.clock(),
                    clock.staleness() == 0 ? "" : fmt::format(" ({} behind)", clock.staleness())));
  }
  return clocks.empty() ? "" : fmt::format("  clocks: {}\n", fmt::join(clocks, ", "));
}

std::string topic_block(const admin::TopicReport& topic) {
  const admin::TopicSummary& summary = topic.summary();
  std::string out = fmt::format(
      "{}  {} elements, quantum 2^-{}, {} shards, may be held by {}\n"
      "  {} publishes accepted, {} refused since the start; {} publishers, {} subscribers\n"
      "  memory {} of at most {}, {} more with the next subscriber, {} with the next publisher; "
      "{} blocks touched\n",
      plain(summary.name()),
      human_count(summary.elements()),
      topic.fraction_bits(),
      topic.shards(),
      site_list(topic.allowed_sites()),
      human_count(summary.publishes()),
      human_count(summary.refused()),
      topic.publishers(),
      topic.subscribers(),
      human_bytes(summary.memory_used_bytes()),
      human_bytes(summary.memory_bound_bytes()),
      human_bytes(topic.memory_next_subscriber_bytes()),
      human_bytes(topic.memory_next_publisher_bytes()),
      human_count(topic.touched_blocks()));
  if (topic.significance_threshold() > 0) {
    out += fmt::format("  {} tiles wait below the significance threshold {:.3g}\n",
                       human_count(topic.significance_withheld()),
                       topic.significance_threshold());
  }
  return out + clock_line(topic) + lane_table(topic);
}

}  // namespace

std::string to_text(const admin::StatusReport& report) {
  std::string out = fmt::format(
      "site {}  {}  up {}  {} clients ({} of rings)  memory {} of {}  {}\n",
      plain(report.site()),
      plain(report.software()),
      human_duration(report.uptime_ns()),
      report.clients(),
      human_bytes(report.client_ring_bytes()),
      human_bytes(report.memory_used_bytes()),
      human_bytes(report.memory_budget_bytes()),
      report.problems().empty() ? "healthy"
                                : fmt::format("UNHEALTHY ({})", report.problems_size()));
  out += problem_lines(report);
  if (report.defect() != 0) {
    out += fmt::format(" ! ledger.defect  conservation defect {}\n     next: godwit ledger\n",
                       report.defect());
  }
  out += link_table(report.links()) + topic_table(report.topics());
  if (report.config_hash() != 0) {
    out +=
        fmt::format("config {}  hash {:016x}\n", plain(report.config_path()), report.config_hash());
  }
  return out;
}

std::string to_text(const admin::TopicsReport& report) {
  std::string out;
  for (const auto& topic : report.topics()) {
    out += (out.empty() ? "" : "\n") + topic_block(topic);
  }
  return out.empty() ? "no topic is declared\n" : out;
}

std::string to_text(const admin::LinksReport& report) {
  std::string out = to_text(report.port());
  for (const auto& link : report.links()) {
    if (link.state() != admin::LinkReport::STATE_UP) {
      out += fmt::format(" ! {}  {}  {}: {}\n     next: godwit peer {}\n",
                         link.reason().empty() ? "link.down" : plain(link.reason()),
                         plain(connection_name(link)),
                         human_duration(link.in_state_ns()),
                         link.last_error().empty() ? "not up" : plain(link.last_error()),
                         plain(link.peer()));
    }
  }
  out += link_table(report.links());
  Table totals({"PEER",
                "SENT",
                "TRANSFERS",
                "RECEIVED",
                "TRANSFERS",
                "LOST PACKETS",
                "PTO",
                "PACKET",
                "HELD BY CAP",
                "BY CONGESTION",
                "ADDRESS"});
  for (const auto& link : report.links()) {
    totals.add(
        {link.peer(),
         human_bytes(link.sent_bytes()),
         human_count(link.sent_transfers()),
         human_bytes(link.received_bytes()),
         human_count(link.received_transfers()),
         human_count(link.lost_packets()),
         human_count(link.probe_timeouts()),
         if_known(link.packet_bytes(), human_bytes),
         human_duration(link.limited_by_cap_ns()),
         human_duration(link.limited_by_congestion_ns()),
         link.paths() > 1
             ? fmt::format("{} (path {} of {})", link.peer_address(), link.path(), link.paths())
             : link.peer_address()});
  }
  if (totals.empty()) {
    return "no link is configured\n";
  }
  out += "\n" + totals.text();
  for (const auto& link : report.links()) {
    if (!link.capabilities().empty()) {
      out +=
          plain(fmt::format("{} can {}", link.peer(), fmt::join(link.capabilities(), " "))) + "\n";
    }
  }
  return out;
}

std::string to_text(const admin::LedgerReport& report) {
  std::string out = fmt::format(
      "conservation defect {}{}\n", report.defect(), report.defect() == 0 ? "" : "  (MUST BE 0)");
  for (const auto& topic : report.topics()) {
    out += fmt::format(
        "\n{}  defect {}, recomputed from memory {} times\n"
        "  published {:.6g} quanta, checksum {:016x}\n"
        "  received  {:.6g} quanta, checksum {:016x}\n"
        "  sent {:.6g}, open {:.6g}, in flight {:.6g}, detached {:.6g} quanta\n",
        plain(topic.topic()),
        topic.defect(),
        human_count(topic.scrub_passes()),
        topic.published_mass(),
        topic.published_checksum(),
        topic.received_mass(),
        topic.received_checksum(),
        topic.sent_mass(),
        topic.open_mass(),
        topic.in_flight_mass(),
        topic.detached_mass());
    Table table({"  TO", "SENT CHECKSUM", "RECEIPTS"});
    for (const auto& lane : topic.lanes()) {
      table.add({"  " + lane.to(),
                 fmt::format("{:016x}", lane.sent_checksum()),
                 lane.balanced() ? "agree" : "CONTRADICT"});
    }
    out += table.text();
  }
  if (report.topics_size() > 0) {
    out +=
        "\nquanta: sums of magnitudes, which merging lessens; what must balance are the "
        "checksums\n";
  }
  return out;
}

std::string to_text(const admin::ExplainReport& report) {
  std::string out = topic_block(report.topic());
  for (const auto& lane : report.lanes()) {
    out += fmt::format("  -> {}  {}: {}{}\n",
                       plain(lane.to()),
                       plain(lane.reason()),
                       plain(lane.text()),
                       lane.expected_ns() == 0 ? ""
                                               : fmt::format("; there in about {}",
                                                             human_duration(lane.expected_ns())));
    if (!lane.command().empty()) {
      out += fmt::format("     next: {}\n", plain(lane.command()));
    }
  }
  return out;
}

std::string to_text(const admin::PeersReport& report) {
  Table table({"SITE",
               "ENDPOINT",
               "CONNECTED",
               "GATEWAY",
               "SOFTWARE",
               "VERSION",
               "CERTIFICATE",
               "REFUSED",
               "LAST REFUSAL"});
  for (const auto& peer : report.peers()) {
    table.add({peer.site(),
               peer.endpoint(),
               peer.connected() ? "yes" : "NO",
               peer.gateway_id().empty() ? "-" : peer.gateway_id(),
               peer.software().empty() ? "-" : peer.software(),
               peer.version() == 0 ? "-" : std::to_string(peer.version()),
               peer.certificate_site().empty() ? "-" : peer.certificate_site(),
               human_count(peer.refused_handshakes()),
               peer.last_refusal()});
  }
  return table.empty() ? "no other site is configured\n" : table.text();
}

std::string to_text(const admin::StopReport& report) {
  const std::string left = human_bytes(report.open_bytes_estimate());
  if (report.open_bytes_estimate() == 0) {
    return "stopping; nothing waits on a lane to another site\n";
  }
  if (report.drain_ns() == 0) {
    return fmt::format(
        "stopping; some {} of changes stay in the state directory and go out later\n", left);
  }
  return fmt::format(
      "stopping once some {} of changes have gone out, or in {}; what is left stays in "
      "the state directory\n",
      left,
      human_duration(report.drain_ns()));
}

ExitCode verdict(const admin::AdminResponse& response) {
  bool healthy = true;
  switch (response.kind_case()) {
    case admin::AdminResponse::kStatus:
      healthy = response.status().problems().empty() && response.status().defect() == 0;
      break;
    case admin::AdminResponse::kLinks: {
      const auto& links = response.links().links();
      healthy = std::all_of(links.begin(), links.end(), [](const auto& link) {
        return link.state() == admin::LinkReport::STATE_UP;
      });
      break;
    }
    case admin::AdminResponse::kPeers: {
      const auto& peers = response.peers().peers();
      healthy = std::all_of(
          peers.begin(), peers.end(), [](const auto& peer) { return peer.connected(); });
      break;
    }
    case admin::AdminResponse::kLedger:
      healthy = response.ledger().defect() == 0;
      for (const auto& topic : response.ledger().topics()) {
        for (const auto& lane : topic.lanes()) {
          healthy = healthy && lane.balanced();
        }
      }
      break;
    case admin::AdminResponse::kError:
      switch (response.error().code()) {
        case admin::Error::CODE_INVALID:
        case admin::Error::CODE_NOT_FOUND:
          return ExitCode::kUsage;
        default:
          return ExitCode::kNoAnswer;
      }
    default:
      break;
  }
  return healthy ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace godwit::cli
