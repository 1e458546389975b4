#include "api/gateway/site_config.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "dataplane/port/ip/address.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/certificate.h"

namespace godwit::gateway {
namespace {

using port::ip::Address;

constexpr std::size_t kSitesMax = 64;  // chosen: headroom of the sums is 2^62 / sites

// An endpoint as the file has it. The text is empty, and the node the table, when there is none.
struct Written {
  std::string text;
  const toml::node* node;
};

std::vector<Written> written_endpoints(TableReader& reader,
                                       const toml::table& table,
                                       std::string_view path,
                                       Problems& problems) {
  if (!reader.has("endpoints")) {
    std::string text = reader.required_text("endpoint");
    const toml::node* node = table.get("endpoint");
    return {{std::move(text), node != nullptr ? node : &table}};
  }
  if (reader.has("endpoint")) {
    reader.reject(
        "endpoints",
        "stands beside `endpoint`; write one of them: `endpoints` when there are several, "
        "the preferred one first");
  }
  std::vector<Written> written;
  const auto texts = reader.texts("endpoints");
  if (const toml::array* list = table.get_as<toml::array>("endpoints")) {
    if (list->empty() || list->size() > kEndpointsMax) {
      reader.reject("endpoints",
                    fmt::format("needs 1 to {} endpoints, such as [\"192.0.2.10:7443\", "
                                "\"198.51.100.10:7443\"]",
                                kEndpointsMax));
    }
    for (const toml::node& node : *list) {
      if (const auto* text = node.as_string(); text != nullptr && written.size() < kEndpointsMax) {
        if (text->get().empty()) {
          problems.add(node.source(), fmt::format("{} endpoints: must not be empty", path));
        }
        written.push_back({text->get(), &node});
      }
    }
  }
  if (written.empty()) {
    written.push_back({"", &table});
  }
  return written;
}

// Adds the endpoints of one site, each in its one spelling, so that equal addresses are equal
// texts. At least one is added; what is no endpoint was complained of, and stays as it was written.
void read_endpoints(TableReader& reader,
                    const toml::table& table,
                    std::string_view path,
                    Problems& problems,
                    const Config& config,
                    SiteConfig& site) {
  const std::string_view key = reader.has("endpoints") ? "endpoints" : "endpoint";
  for (const Written& written : written_endpoints(reader, table, path, problems)) {
    const auto complain = [&](std::string_view what) {
      problems.add(written.node->source(), fmt::format("{} {}: {}", path, key, what));
    };
    const auto address = port::Peer::parse(written.text);
    site.endpoints.push_back(address ? address->format() : written.text);
    if (written.text.empty()) {
      continue;  // said before
    }
    if (!address) {
      complain(address.error().message);
      continue;
    }
    if (address->udp_port() == 0) {
      complain("needs a port from 1 to 65535");
      continue;
    }
    const std::string& endpoint = site.endpoints.back();
    const auto first = port::Peer::parse(site.endpoints.front());
    if (first && first->udp_port() != address->udp_port()) {
      complain(
          fmt::format("{} has another port than {}; a gateway listens at one port, whatever "
                      "its addresses",
                      endpoint,
                      site.endpoints.front()));
    }
    if (std::count(site.endpoints.begin(), site.endpoints.end(), endpoint) > 1) {
      complain(fmt::format("{} stands there twice", endpoint));
    }
    const auto same =
        std::find_if(config.sites.begin(), config.sites.end(), [&](const auto& other) {
          return std::count(other.endpoints.begin(), other.endpoints.end(), endpoint) > 0;
        });
    if (same != config.sites.end()) {
      complain(
          fmt::format("{} is that of site \"{}\", too; each has its own", endpoint, same->name));
    }
  }
}

// Why nobody can be sent a datagram there, or listen there; nothing when all is well.
std::optional<std::string_view> address_problem(const Address& address, bool is_own) {
  if (address.is_v6 ? address.bytes[0] == 0xff : address.bytes[0] >= 224) {
    return "is a multicast or a broadcast address";
  }
  if (!is_own && (address.is_unspecified() || (!address.is_v6 && address.bytes[0] == 0))) {
    return "is no host's address; it may stand for the own site alone, to listen everywhere";
  }
  return std::nullopt;
}

// The address that the own datagrams carry.
Result<Address> own_address(const Config& config, const SiteConfig& self) {
  if (config.port.kind == "dpdk" && !config.port.address.empty()) {
    return Address::parse(config.port.address);
  }
  const auto endpoint = port::Peer::parse(listen_endpoint(self));
  return endpoint ? Result<Address>(Address::of(*endpoint)) : Failure(endpoint.error());
}

// A socket at :: sends to both families; any other address to its own (RFC 3493 section 3.7).
bool can_send(const Config& config, const Address& from, const Address& to) {
  const bool is_dual = from.is_v6 && from.is_unspecified() && config.port.kind != "dpdk";
  return from.is_v6 == to.is_v6 || is_dual;
}

// Whether one of the site's own workers, each on the port after the one before, is in the way.
bool is_taken_by_worker(const Config& config, const SiteConfig& self, const port::Peer& endpoint) {
  return std::any_of(self.endpoints.begin(), self.endpoints.end(), [&](const std::string& text) {
    const auto own = port::Peer::parse(text);
    return own && own->same_host(endpoint) && endpoint.udp_port() > own->udp_port() &&
           endpoint.udp_port() < own->udp_port() + config.workers;
  });
}

}  // namespace

void read_sites(TableReader& root, Problems& problems, Config& config) {
  const toml::table* sites = root.table("sites");
  if (sites == nullptr || sites->size() < 2 || sites->size() > kSitesMax) {
    root.reject("sites",
                fmt::format("{}needs 2 to {} tables [sites.NAME]",
                            sites == nullptr ? "is missing; " : "",
                            kSitesMax));
    return;
  }
  std::set<SiteId> seen;
  for (const auto& [key, node] : *sites) {
    const std::string name(key.str());
    if (!transport::is_site_name(name)) {
      problems.add(
          key.source(),
          fmt::format("site \"{}\": a name has 1 to {} of a-z, 0-9 and '-', and begins and "
                      "ends with a letter or a digit",
                      name,
                      transport::kSiteNameBytesMax));
    }
    // What is wrong with a site is said here; the rest of the file may name it all the same.
    SiteConfig site{.name = name, .id = SiteId::of(name), .endpoints = {}};
    const std::string path = fmt::format("[sites.{}]", name);
    if (const toml::table* table = node.as_table()) {
      TableReader reader(*table, path, problems);
      read_endpoints(reader, *table, path, problems, config, site);
      reader.finish();
    } else {
      problems.add(key.source(), fmt::format("site \"{}\": must be a table, {}", name, path));
      site.endpoints.emplace_back();
    }
    if (!seen.insert(site.id).second) {
      problems.add(key.source(),
                   fmt::format("site \"{}\" has the same hash as another; rename it", name));
    }
    config.sites.push_back(std::move(site));
  }
  std::sort(config.sites.begin(), config.sites.end(), [](const auto& a, const auto& b) {
    return a.name < b.name;
  });
}

std::string listen_endpoint(const SiteConfig& self) {
  const auto first = port::Peer::parse(self.endpoints.front());
  if (self.endpoints.size() == 1 || !first) {
    return self.endpoints.front();
  }
  const bool any_v6 = std::any_of(self.endpoints.begin(),
                                  self.endpoints.end(),
                                  [](const auto& one) { return one.front() == '['; });
  return fmt::format("{}:{}", any_v6 ? "[::]" : "0.0.0.0", first->udp_port());
}

void check_endpoints(const toml::table& document, Problems& problems, const Config& config) {
  const SiteConfig* self = config.find_site(config.site);
  const auto own = self != nullptr ? own_address(config, *self)
                                   : Result<Address>(fail(Code::kNotFound, "no own site"));
  for (const SiteConfig& site : config.sites) {
    const bool is_own = &site == self;
    const bool is_list = document["sites"][site.name]["endpoints"].is_array();
    const std::string_view key = is_list ? "endpoints" : "endpoint";
    const toml::node* written = document["sites"][site.name][key].node();
    const auto complain = [&](std::string_view what) {
      problems.add(written->source(), fmt::format("[sites.{}] {}: {}", site.name, key, what));
    };
    for (const std::string& text : site.endpoints) {
      const auto endpoint = port::Peer::parse(text);
      if (!endpoint || written == nullptr) {
        continue;  // said before
      }
      const Address address = Address::of(*endpoint);
      if (const auto wrong = address_problem(address, is_own && site.endpoints.size() == 1)) {
        complain(fmt::format("{} {}; give the address of the one host where its gateway listens",
                             address.format(),
                             *wrong));
      } else if (own && !is_own && !can_send(config, *own, address)) {
        complain(
            fmt::format("{} is IPv{} and the own address, {}, is IPv{}: no packet can pass; "
                        "give all sites addresses of one family",
                        address.format(),
                        address.is_v6 ? 6 : 4,
                        own->format(),
                        own->is_v6 ? 6 : 4));
      } else if (self != nullptr && !is_own && is_taken_by_worker(config, *self, *endpoint)) {
        complain(
            fmt::format("{}: the {} workers of {} take this port; give one that is not among "
                        "the {} from {} on",
                        text,
                        config.workers,
                        self->name,
                        config.workers,
                        self->endpoints.front()));
      }
    }
    const auto first = port::Peer::parse(site.endpoints.front());
    if (is_own && written != nullptr && first && first->udp_port() + config.workers > 65'536) {
      complain(
          fmt::format("{}: {} workers need as many ports from this one on, and the last port "
                      "is 65535",
                      site.endpoints.front(),
                      config.workers));
    }
    if (is_own && written != nullptr && site.endpoints.size() > 1 && config.port.kind == "dpdk" &&
        config.port.address.empty()) {
      complain(
          fmt::format("a DPDK device has one address, and these are {}; give one endpoint, or "
                      "the address behind all of them as [port] address",
                      site.endpoints.size()));
    }
  }
}

}  // namespace godwit::gateway
