// The configuration as TOML, as config.cc reads it.
#include <cstddef>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/gateway/config.h"
#include "api/gateway/config_words.h"
#include "api/gateway/port_config.h"
#include "api/gateway/toml_reader.h"
#include "dataplane/port/dscp.h"

namespace godwit::gateway {
namespace {

// To the nanosecond, as parse_duration reads it back.
std::string in_microseconds(Duration duration) {
  return fmt::format("\"{}.{:03}us\"", duration.count_ns() / 1000, duration.count_ns() % 1000);
}

// [sites], [[links]], [[policies]] and [dscp] with every default.
std::string shared_part(const Config& config) {
  std::string out;
  for (const auto& site : config.sites) {
    out += fmt::format("\n[sites.{}]\n", site.name);
    out += site.endpoints.size() == 1
               ? fmt::format("endpoint = {}\n", toml_string(site.endpoints.front()))
               : fmt::format("endpoints = [\"{}\"]\n", fmt::join(site.endpoints, "\", \""));
  }
  for (const auto& link : config.links) {
    out += fmt::format("\n[[links]]\nname = {}\nends = [{}, {}]\n",
                       toml_string(link.name),
                       toml_string(link.ends[0]),
                       toml_string(link.ends[1]));
    if (!link.cap.is_unlimited()) {
      out += fmt::format("cap = \"{}bit/s\"\n", link.cap.bits_per_second());
    }
    out += fmt::format("rtt = {}\n", in_microseconds(link.rtt));
    if (!link.congestion.empty()) {
      out += fmt::format("congestion = {}\n", toml_string(link.congestion));
    }
    if (link.connections > 1) {
      out += fmt::format("connections = {}\n", link.connections);
    }
    if (link.yields != transport::Yields::kNothing) {
      out +=
          fmt::format("background = \"{}\"\n", kYields.at(static_cast<std::size_t>(link.yields)));
    }
  }
  for (const auto& policy : config.policies) {
    out += fmt::format("\n[[policies]]\nmatch = {}\nclass = {}\n",
                       toml_string(policy.match),
                       toml_string(policy.class_or_default()));
    if (!policy.allowed.empty()) {
      out += fmt::format("allowed = [\"{}\"]\n", fmt::join(policy.allowed, "\", \""));
    }
    if (policy.deadline) {
      out += fmt::format("deadline = {}\n", in_microseconds(*policy.deadline));
    }
    if (policy.tolerance) {
      out += fmt::format("tolerance = {}\n", *policy.tolerance);
    }
    if (policy.significance) {
      out += fmt::format(
          "significance = {{ filter = \"relative\", threshold = {}, decay = \"{}\" }}\n",
          *policy.significance,
          policy.significance_decays ? "1/sqrt(t)" : "none");
    }
  }
  if (config.markings) {
    out += "\n[dscp]\n";
    for (std::size_t index = 0; index < kDscpKeys.size(); ++index) {
      out += fmt::format(
          "{} = \"{}\"\n", kDscpKeys[index], port::format_dscp(config.markings->codepoints[index]));
    }
  }
  return out;
}

}  // namespace

std::string effective_config(const Config& config) {
  return fmt::format(
      "version = 1\n\n[self]\nsite = {}\nstate_dir = {}\ndurable_dir = {}\nclient = {}\n"
      "admin = {}\nmetrics_port = {}\ncongestion = {}\npacket_bytes = {}\nmemory = "
      "\"{}B\"\nworkers = {}\n\n"
      "[port]\n{}\n[tls]\ncert = {}\nkey = {}\nca = {}\n{}",
      toml_string(config.site),
      toml_string(config.state_dir),
      toml_string(config.durable_dir),
      toml_string(config.client),
      toml_string(config.admin),
      config.metrics_port.value_or(0),
      toml_string(config.congestion),
      config.packet_bytes,
      config.memory.count(),
      config.workers,
      port_as_toml(config.port),
      toml_string(config.certificate),
      toml_string(config.key),
      toml_string(config.authority),
      shared_part(config));
}

std::uint64_t shared_hash(const Config& config) {
  return fnv1a(shared_part(config));
}

}  // namespace godwit::gateway
