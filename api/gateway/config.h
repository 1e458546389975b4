// The configuration of a gateway: one strict TOML file for all sites, only [self] differs.
//
// Unknown keys, impossible values and dangling names are errors that say file:line:column, what
// is allowed and, for a misspelt key, what was probably meant. Nothing is read and then ignored: a
// key that this version does not enforce is refused. `{site}` in a path stands for the own site.
//
// Thread: any; a Config is immutable once parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/gateway/quantity.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/idle.h"
#include "dataplane/transport/marking.h"
#include "dataplane/transport/yielding_rate.h"

namespace godwit::gateway {

// Endpoints of a site. Chosen: hosts have two uplinks, some three, and each dead one costs a dial.
inline constexpr std::size_t kEndpointsMax = 4;

// One data centre, as every gateway knows it.
struct SiteConfig {
  std::string name;  // [a-z0-9-], 1 to 32 characters, '-' neither first nor last
  SiteId id;         // the name's hash; unique in a file
  // Numeric host:port where its gateway listens for peers, UDP; the preferred one first. 1 to
  // kEndpointsMax, of one port.
  std::vector<std::string> endpoints;
};

// What carries bytes between two sites. One link per pair in this version.
struct LinkConfig {
  std::string name;
  std::string ends[2];                 // two different site names
  BitRate cap = BitRate::unlimited();  // hard cap in layer-3 bits per second, each direction
  Duration rtt = Duration::ms(100);    // expected round trip: sizes windows before any measurement
  std::string congestion;              // bbr | cubic; empty = that of [self]
  transport::Yields yields = transport::Yields::kNothing;  // to others on the path; needs a cap
  std::uint32_t connections = 1;  // a power of two up to 64; share the cap and the shards
};

// Rules for the topics whose names match; the first match wins.
struct PolicyConfig {
  std::string match;                 // `*` is one part of the name, `**` any number of parts
  std::vector<std::string> allowed;  // residency: who may hold the topic, sorted; empty = all sites
  std::optional<std::string> traffic_class;  // urgent | normal | bulk; none = the client's
  std::optional<Duration> deadline;          // remaining time a change is worth sending first
  std::optional<double> tolerance;           // absolute; what may stay unsent while others wait
  std::optional<double> significance;        // Gaia's v: relative change that is worth sending
  bool significance_decays = true;           // v / sqrt(clock) instead of v

  // What holds for a topic whose clients name no class.
  std::string class_or_default() const { return traffic_class.value_or("normal"); }
};

// How datagrams leave the host. What follows `device` describes it.
struct PortConfig {
  std::string kind = "uring";  // uring | epoll | dpdk
  port::IdleMode idle = port::IdleMode::kWait;
  std::string capture;                  // path of the packet capture; empty = off
  Bytes capture_max = Bytes::mib(64);   // of the capture and the older one beside it
  std::string device;                   // as dataplane/port/device_name.h reads it
  std::string address;                  // numeric; empty: the host of the own endpoint
  std::optional<unsigned> prefix;       // bits of the own network; none: 24 (IPv4), 64 (IPv6)
  std::string gateway;                  // numeric; empty: every peer is a neighbour
  std::vector<std::string> neighbours;  // "10.77.1.1 02:77:00:00:00:01": never asked for
  std::optional<std::uint16_t> vlan;    // 1 to 4094
  std::size_t mtu = 1500;               // layer 3, bytes
  std::string huge_pages = "auto";      // auto | always | never
};

struct Config {
  std::string file;

  // [self]
  std::string site;
  std::string state_dir;                      // sums, lanes and inboxes; tmpfs by default
  std::string durable_dir;                    // the incarnation counter; a disk
  std::string client;                         // path of the Unix socket for local clients
  std::string admin;                          // path of the Unix socket for the command `godwit`
  std::optional<std::uint16_t> metrics_port;  // of /metrics on loopback; none = off
  std::string congestion;                     // bbr | cubic
  std::size_t packet_bytes = 1452;            // most UDP payload of a packet
  Bytes memory = Bytes::mib(1024);            // budget for all topics' state, in equal parts
  std::uint32_t workers = 1;                  // threads: a power of two up to 64

  PortConfig port;  // [port]

  // [tls]
  std::string certificate;
  std::string key;
  std::string authority;

  std::vector<SiteConfig> sites;  // at least two, in the file's order
  std::vector<LinkConfig> links;
  std::vector<PolicyConfig> policies;
  std::optional<transport::Markings> markings;  // [dscp]; none = nothing is marked

  const SiteConfig* find_site(std::string_view name) const;
  const SiteConfig* find_site(SiteId id) const;
  const LinkConfig* find_link(std::string_view one, std::string_view other) const;
  // The first policy whose pattern matches, or the default one.
  const PolicyConfig& policy_for(std::string_view topic) const;
  // Of one worker.
  Bytes memory_each() const { return Bytes(memory.count() / workers); }
  // True when the topic may be held at the site.
  bool may_hold(std::string_view topic, std::string_view site) const;
};

// What a command line says in place of the file.
struct Overrides {
  std::optional<std::string_view> site = std::nullopt;  // [self] site: the same file at every site
  std::optional<std::string_view> port = std::nullopt;  // [port] kind, one of its words
};

// `text` is the file's content, `file` its name in messages. Every problem found is in the message,
// one a line.
Result<Config> parse_config(std::string_view text,
                            std::string_view file,
                            const Overrides& overrides = {});

// Reads and parses a file; refuses files over 1 MiB.
Result<Config> load_config(const std::string& path, const Overrides& overrides = {});

// The configuration as TOML with every default spelt out.
std::string effective_config(const Config& config);
// Of what all sites must agree on, with every default: sites, links, policies, marking. Equal at
// all sites that run by the same rules, whatever their paths, ports and budgets.
std::uint64_t shared_hash(const Config& config);

}  // namespace godwit::gateway
