// What `godwit link` shows of the port under all links, and what is wrong with it.

#include <fmt/format.h>

#include "api/gateway/report.h"

namespace godwit::gateway {

void Reporter::port(Instant now, admin::PortReport& out) {
  if (port_ == nullptr) {
    return;
  }
  const PortConfig& config = gateway_.core().config.port;
  out.set_kind(port_->capabilities().name);
  out.set_device(config.kind == "dpdk" ? config.device : "");
  out.set_local_address(port_->local().format());
  out.set_link_up(port_->link_up());
  const port::Counters counters = port_->counters();
  out.set_sent_packets(counters.packets_sent);
  out.set_received_packets(counters.packets_received);
  out.set_sent_frames(counters.frames_sent);
  out.set_received_frames(counters.frames_received);
  out.set_send_busy(counters.send_busy);
  out.set_send_errors(counters.send_errors);
  out.set_receive_errors(counters.receive_errors);
  out.set_receive_starved(counters.receive_starved);
  out.set_receive_dropped(counters.receive_dropped);
  out.set_neighbours_changed(counters.neighbours_changed);
  out.set_neighbours_given_up(counters.neighbours_given_up);
  out.set_link_downs(counters.link_downs);
  for (const port::Refusal& refusal : port_->refusals()) {
    auto* one = out.add_refusals();
    one->set_reason(std::string(refusal.reason));
    one->set_frames(refusal.count);
  }
  for (const port::NeighbourTrouble& trouble : port_->troubles(now)) {
    if (trouble.kind == port::NeighbourTrouble::Kind::kSilent) {
      auto* one = out.add_silent_neighbours();
      one->set_address(trouble.address);
      one->set_silent_ns(since(now, trouble.since));
    } else {
      auto* one = out.add_address_conflicts();
      one->set_address(trouble.address);
      one->set_mac(trouble.mac);
      one->set_seen_ns(since(now, trouble.since));
    }
  }
}

void Reporter::add_port_problems(admin::StatusReport& out) {
  const std::string& device = gateway_.core().config.port.device;
  const auto add = [&](std::string_view reason,
                       const std::string& subject,
                       std::string text,
                       std::string command,
                       std::uint64_t since_ns) {
    auto* problem = out.add_problems();
    problem->set_severity(admin::Problem::SEVERITY_FAILURE);
    problem->set_reason(std::string(reason));
    problem->set_subject(subject);
    problem->set_text(std::move(text));
    problem->set_command(std::move(command));
    problem->set_since_ns(since_ns);
  };
  if (port_is_down()) {
    // Nobody can answer then, and it would say nothing of them.
    add("port.link_down",
        device,
        fmt::format("{} has no link, so nothing leaves this gateway", device),
        device.starts_with("af_") ? "ip link" : "dpdk-devbind.py --status",
        0);
    return;
  }
  for (const admin::AddressConflict& one : out.port().address_conflicts()) {
    add("port.address_conflict",
        one.address(),
        fmt::format("also used by the host with MAC {}; give one of the two another address",
                    one.mac()),
        "godwit link",
        one.seen_ns());
  }
  for (const admin::SilentNeighbour& one : out.port().silent_neighbours()) {
    add("port.neighbour_silent",
        one.address(),
        fmt::format("does not answer on {}: it is off, or the address, the prefix or the VLAN is "
                    "wrong on one side",
                    device),
        "godwit link",
        one.silent_ns());
  }
}

}  // namespace godwit::gateway
