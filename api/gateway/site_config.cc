#include "api/gateway/site_config.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "dataplane/port/ip/address.h"
#include "dataplane/port/peer.h"
#include "dataplane/transport/certificate.h"

namespace godwit::gateway {
namespace {

using port::ip::Address;

constexpr std::size_t kSitesMax = 64;      // chosen: headroom of the sums is 2^62 / sites
constexpr std::size_t kNameBytesMax = 32;  // chosen: a column of a table

// A site's certificate must be able to name it, too.
bool name_is_valid(std::string_view name) {
  return name.size() <= kNameBytesMax && transport::is_site_name(name);
}

// The address in its one spelling, so that equal addresses are equal texts.
std::string read_endpoint(TableReader& reader, const Config& config) {
  const std::string text = reader.required_text("endpoint");
  if (text.empty()) {
    return text;
  }
  const auto address = port::Peer::parse(text);
  if (!address) {
    reader.reject("endpoint", address.error().message);
    return text;
  }
  if (address->udp_port() == 0) {
    reader.reject("endpoint", "needs a port from 1 to 65535");
    return text;
  }
  std::string endpoint = address->format();
  const auto same = std::find_if(config.sites.begin(), config.sites.end(), [&](const auto& other) {
    return other.endpoint == endpoint;
  });
  if (same != config.sites.end()) {
    reader.reject(
        "endpoint",
        fmt::format("{} is that of site \"{}\", too; each has its own", endpoint, same->name));
  }
  return endpoint;
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
  const auto endpoint = port::Peer::parse(self.endpoint);
  return endpoint ? Result<Address>(Address::of(*endpoint)) : Failure(endpoint.error());
}

// A socket at :: sends to both families; any other address to its own (RFC 3493 section 3.7).
bool can_send(const Config& config, const Address& from, const Address& to) {
  const bool is_dual = from.is_v6 && from.is_unspecified() && config.port.kind != "dpdk";
  return from.is_v6 == to.is_v6 || is_dual;
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
    if (!name_is_valid(name)) {
      problems.add(
          key.source(),
          fmt::format("site \"{}\": a name has 1 to {} of a-z, 0-9 and '-', and begins and "
                      "ends with a letter or a digit",
                      name,
                      kNameBytesMax));
      continue;
    }
    if (!node.is_table()) {
      problems.add(key.source(), fmt::format("[sites] {}: must be a table", name));
      continue;
    }
    TableReader reader(*node.as_table(), fmt::format("[sites.{}]", name), problems);
    SiteConfig site{.name = name, .id = SiteId::of(name), .endpoint = {}};
    site.endpoint = read_endpoint(reader, config);
    reader.finish();
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

void check_endpoints(const toml::table& document, Problems& problems, const Config& config) {
  const SiteConfig* self = config.find_site(config.site);
  const auto own = self != nullptr ? own_address(config, *self)
                                   : Result<Address>(fail(Code::kNotFound, "no own site"));
  for (const SiteConfig& site : config.sites) {
    const auto endpoint = port::Peer::parse(site.endpoint);
    const toml::node* node = document["sites"][site.name]["endpoint"].node();
    if (!endpoint || node == nullptr) {
      continue;  // said before
    }
    const Address address = Address::of(*endpoint);
    const auto complain = [&](std::string_view what) {
      problems.add(node->source(), fmt::format("[sites.{}] endpoint: {}", site.name, what));
    };
    if (const auto wrong = address_problem(address, &site == self)) {
      complain(fmt::format("{} {}; give the address of the one host where its gateway listens",
                           address.format(),
                           *wrong));
    } else if (own && &site != self && !can_send(config, *own, address)) {
      complain(
          fmt::format("{} is IPv{} and the own address, {}, is IPv{}: no packet can pass; "
                      "give all sites addresses of one family",
                      address.format(),
                      address.is_v6 ? 6 : 4,
                      own->format(),
                      own->is_v6 ? 6 : 4));
    }
  }
}

}  // namespace godwit::gateway
