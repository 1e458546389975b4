#include "api/gateway/port_config.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "dataplane/port/device_name.h"
#include "dataplane/port/with/capture_file.h"

namespace godwit::gateway {
namespace {

using port::ip::Address;

constexpr std::uint64_t kVlanMax = 4'094;
constexpr std::uint64_t kMtuMin = 1'280;  // what IPv6 asks of every path (RFC 8200 section 5)
constexpr unsigned kPrefixV4 = 24;        // chosen: the usual networks of hosts
constexpr unsigned kPrefixV6 = 64;

// "02:77:00:00:00:01".
Result<port::Mac> parse_mac(std::string_view text) {
  port::Mac mac{};
  constexpr std::size_t kDigits = 3 * std::tuple_size_v<port::Mac> - 1;
  bool is_good = text.size() == kDigits;
  for (std::size_t index = 0; is_good && index < mac.size(); ++index) {
    const char* first = text.data() + 3 * index;
    const auto [end, error] = std::from_chars(first, first + 2, mac.at(index), 16);
    is_good = error == std::errc() && end == first + 2 && (index + 1 == mac.size() || *end == ':');
  }
  if (!is_good) {
    return fail(Code::kInvalid, "\"{}\" is no MAC address such as \"02:77:00:00:00:01\"", text);
  }
  return mac;
}

// "10.77.1.1 02:77:00:00:00:01".
Result<port::ip::StaticNeighbour> parse_neighbour(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) {
    return fail(
        Code::kInvalid, "\"{}\" is not \"ADDRESS MAC\" of a neighbour, with one space", text);
  }
  const auto address = Address::parse(text.substr(0, space));
  if (!address) {
    return Failure(address.error());
  }
  const auto mac = parse_mac(text.substr(space + 1));
  if (!mac) {
    return Failure(mac.error());
  }
  return port::ip::StaticNeighbour{*address, *mac};
}

// The own address: that of the table, else of the endpoint that the other sites know.
Result<Address> own_address(const PortConfig& config, const port::Peer& endpoint) {
  return config.address.empty() ? Address::of(endpoint) : Address::parse(config.address);
}

void check_address(TableReader& reader, std::string_view key, const std::string& text) {
  if (text.empty()) {
    return;
  }
  if (const auto address = Address::parse(text); !address) {
    reader.reject(key, address.error().message);
  }
}

// What is wrong, and with which key.
struct Wrong {
  std::string_view key;
  std::string what;
};

tl::expected<port::ip::Options, Wrong> ip_options(const PortConfig& config,
                                                  const port::Peer& endpoint) {
  const auto wrong = [](std::string_view key, std::string what) {
    return tl::unexpected(Wrong{key, std::move(what)});
  };
  const auto address = own_address(config, endpoint);
  if (!address) {
    return wrong("address", address.error().message);
  }
  const unsigned prefix = config.prefix.value_or(address->is_v6 ? kPrefixV6 : kPrefixV4);
  if (!address->is_v6 && prefix > 32) {
    return wrong("prefix", fmt::format("{} is over the 32 bits of IPv4", prefix));
  }
  port::ip::Options options;
  const port::ip::Subnet own{*address, prefix};
  (address->is_v6 ? options.v6 : options.v4) = own;
  if (const auto ok = port::ip::check_own(own); !ok) {
    return wrong("address", ok.error().message);
  }
  if (!config.gateway.empty()) {
    const auto gateway = Address::parse(config.gateway);
    if (!gateway || gateway->is_v6 != address->is_v6) {
      return wrong(
          "gateway",
          fmt::format(
              "{} is not of the kind of the own address, {}", config.gateway, address->format()));
    }
    if (const auto ok = port::ip::check_gateway(own, *gateway); !ok) {
      return wrong("gateway", ok.error().message);
    }
    (address->is_v6 ? options.gateway_v6 : options.gateway_v4) = *gateway;
  }
  for (const std::string& text : config.neighbours) {
    auto neighbour = parse_neighbour(text);
    if (!neighbour) {
      return wrong("neighbours", neighbour.error().message);
    }
    if (neighbour->address.is_v6 != address->is_v6) {
      return wrong("neighbours",
                   fmt::format("{} is not of the kind of the own address, {}",
                               neighbour->address.format(),
                               address->format()));
    }
    options.neighbours.push_back(*neighbour);
  }
  if (const auto ok = port::ip::check_neighbours(options.neighbours); !ok) {
    return wrong("neighbours", ok.error().message);
  }
  options.vlan = config.vlan;
  options.mtu = config.mtu;
  return options;
}

// "key = text", if there is something to write.
std::string line_of(std::string_view key, const std::string& text) {
  return text.empty() ? "" : fmt::format("{} = {}\n", key, toml_string(text));
}

}  // namespace

PortConfig read_port(const toml::table* table,
                     std::optional<std::string_view> kind,
                     Problems& problems) {
  static const toml::table kEmpty;
  TableReader reader(table != nullptr ? *table : kEmpty, "[port]", problems);
  PortConfig config;
  config.kind = reader.choice("kind", config.kind, {"uring", "epoll", "dpdk"});
  if (kind) {
    config.kind = *kind;
  }
  reader.parsed("idle", &port::parse_idle_mode, config.idle);
  config.capture = reader.text("capture", "");
  if (reader.has("capture") && config.capture.empty()) {
    reader.reject("capture", "must not be empty; leave the key out for none");
  }
  reader.expect_path("capture", config.capture);
  reader.parsed("capture_max", &parse_bytes, config.capture_max);
  if (config.capture_max < port::kCaptureBytesMin) {
    reader.reject("capture_max", "must be at least 2MiB");
  }
  config.device = reader.text("device", "");
  config.mtu = reader.whole_number("mtu", config.mtu, kMtuMin, port::kMtuMax);
  if (config.device.empty() && (config.kind == "dpdk" || reader.has("device"))) {
    reader.reject("device",
                  "is missing; DPDK needs one, such as \"0000:3b:00.0\" or \"af_packet:eth1\"");
  } else if (!config.device.empty()) {
    if (const auto name = port::parse_device_name(config.device); !name) {
      reader.reject("device", name.error().message);
    }
  }
  config.address = reader.text("address", "");
  check_address(reader, "address", config.address);
  config.gateway = reader.text("gateway", "");
  check_address(reader, "gateway", config.gateway);
  if (reader.has("prefix")) {
    config.prefix = static_cast<unsigned>(reader.whole_number("prefix", kPrefixV4, 1, 128));
  }
  if (reader.has("vlan")) {
    config.vlan = static_cast<std::uint16_t>(reader.whole_number("vlan", 1, 1, kVlanMax));
  }
  config.neighbours = reader.texts("neighbours");
  for (const std::string& text : config.neighbours) {
    if (const auto neighbour = parse_neighbour(text); !neighbour) {
      reader.reject("neighbours", neighbour.error().message);
    }
  }
  config.huge_pages = reader.choice("huge_pages", config.huge_pages, {"auto", "always", "never"});
  reader.finish();
  return config;
}

void check_port(const toml::table* table,
                const PortConfig& config,
                std::string_view endpoint,
                Problems& problems) {
  const auto peer = port::Peer::parse(endpoint);
  if (!peer) {
    return;  // said of the endpoint
  }
  const bool is_described = !config.address.empty() || config.prefix || !config.gateway.empty() ||
                            !config.neighbours.empty();
  if (config.kind != "dpdk" && !is_described) {
    return;  // the kernel's address is the kernel's affair
  }
  if (const auto ip = ip_options(config, *peer); !ip) {
    static const toml::table kEmpty;
    TableReader reader(table != nullptr ? *table : kEmpty, "[port]", problems);
    reader.reject(ip.error().key, ip.error().what);
  }
}

std::string port_as_toml(const PortConfig& config) {
  std::string out = fmt::format("kind = {}\nidle = {}\ncapture_max = \"{}B\"\n",
                                toml_string(config.kind),
                                toml_string(port::name(config.idle)),
                                config.capture_max.count());
  out += line_of("capture", config.capture);
  out += line_of("device", config.device);
  out += line_of("address", config.address);
  if (config.prefix) {
    out += fmt::format("prefix = {}\n", *config.prefix);
  }
  out += line_of("gateway", config.gateway);
  if (!config.neighbours.empty()) {
    out += "neighbours = [";
    for (const std::string& text : config.neighbours) {
      out += fmt::format("{}, ", toml_string(text));
    }
    out += "]\n";
  }
  if (config.vlan) {
    out += fmt::format("vlan = {}\n", *config.vlan);
  }
  return out +
         fmt::format("mtu = {}\nhuge_pages = {}\n", config.mtu, toml_string(config.huge_pages));
}

Result<port::PortOptions> port_options(const PortConfig& config,
                                       std::string_view endpoint,
                                       std::uint32_t worker,
                                       std::uint32_t workers) {
  port::PortOptions options;
  const auto first = port::Peer::parse(endpoint);
  if (!first) {
    return Failure(first.error());
  }
  if (first->udp_port() + workers > 65'536) {
    return fail(Code::kInvalid,
                "endpoint {}: {} workers need as many ports from this one on",
                endpoint,
                workers);
  }
  const port::Peer peer = first->with_port(static_cast<std::uint16_t>(first->udp_port() + worker));
  options.local = peer;
  options.kind = config.kind == "dpdk"    ? port::PortKind::kDpdk
                 : config.kind == "epoll" ? port::PortKind::kEpoll
                                          : port::PortKind::kUring;
  if (options.kind != port::PortKind::kDpdk) {
    return options;
  }
  if (config.device.empty()) {
    return fail(Code::kInvalid, "[port] device is missing; DPDK needs one");
  }
  options.dpdk.device = config.device;
  options.dpdk.queues = static_cast<std::uint16_t>(workers);
  options.dpdk.queue = static_cast<std::uint16_t>(worker);
  options.dpdk.mtu = config.mtu;
  options.dpdk.huge_pages = config.huge_pages == "always"  ? port::HugePages::kAlways
                            : config.huge_pages == "never" ? port::HugePages::kNever
                                                           : port::HugePages::kAuto;
  options.dpdk.idle = config.idle;
  auto ip = ip_options(config, peer);
  if (!ip) {
    return fail(Code::kInvalid, "[port] {}: {}", ip.error().key, ip.error().what);
  }
  options.ip = std::move(*ip);
  options.ip.udp_port = peer.udp_port();
  return options;
}

}  // namespace godwit::gateway
