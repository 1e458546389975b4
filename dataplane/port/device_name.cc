#include "dataplane/port/device_name.h"

#include <algorithm>
#include <array>

namespace godwit::port {
namespace {

constexpr std::size_t kInterfaceBytesMax = 15;  // IFNAMSIZ less its zero
constexpr std::size_t kArgumentBytesMax = 512;  // chosen; real ones have below 150

bool is_hexadecimal(std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// "DDDD:BB:DD.F" in hexadecimal, the function 0 to 7.
bool is_pci_address(std::string_view text) {
  const auto first = text.find(':');
  const auto second = first == std::string_view::npos ? first : text.find(':', first + 1);
  const auto dot = text.rfind('.');
  if (second == std::string_view::npos || dot == std::string_view::npos || dot < second) {
    return false;
  }
  const std::string_view function = text.substr(dot + 1);
  return is_hexadecimal(text.substr(0, first), 4, 8) &&
         is_hexadecimal(text.substr(first + 1, second - first - 1), 2, 2) &&
         is_hexadecimal(text.substr(second + 1, dot - second - 1), 2, 2) && function.size() == 1 &&
         function[0] >= '0' && function[0] <= '7';
}

// As Linux and DPDK write it: four digits of domain or more, lower case.
std::string plain_pci_address(std::string_view text) {
  std::string_view domain = text.substr(0, text.find(':'));
  while (domain.size() > 4 && domain.front() == '0') {
    domain.remove_prefix(1);
  }
  std::string out(domain);
  out += text.substr(text.find(':'));
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// A comma or '=' would become another argument of the device.
bool is_interface(std::string_view text) {
  return !text.empty() && text.size() <= kInterfaceBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

constexpr std::size_t kPlainSlotBytes = 2'048;
constexpr std::size_t kSlotsMin = 128;

// Two rings a queue pair, shared with the kernel. The driver's default of 512 slots lost up to 37 %
// at full rate; slots larger than needed waste the cache.
std::string packet_socket_arguments(const DeviceNeeds& needs) {
  const bool is_jumbo = needs.mtu > kMtuPlain;
  const std::size_t slot_bytes = is_jumbo ? kJumboSlotBytes : kPlainSlotBytes;
  std::size_t slots = is_jumbo ? 1'024 : 4'096;
  while (slots > kSlotsMin && 2 * slots * slot_bytes * needs.queues > needs.lockable_bytes) {
    slots /= 2;
  }
  std::string out = fmt::format("framesz={},blocksz={},framecnt={}",
                                slot_bytes,
                                is_jumbo ? 4 * slot_bytes : 32 * slot_bytes,
                                slots);
  if (needs.queues > 1) {
    out += fmt::format(",qpairs={}", needs.queues);
  }
  return out + ",qdisc_bypass=1";
}

// The value of "NAME=VALUE" among arguments with commas between them; empty when it is not there.
std::string_view argument_of(std::string_view arguments, std::string_view name) {
  while (!arguments.empty()) {
    const std::size_t end = std::min(arguments.find(','), arguments.size());
    const std::string_view one = arguments.substr(0, end);
    if (one.starts_with(name) && one.size() > name.size() && one[name.size()] == '=') {
      return one.substr(name.size() + 1);
    }
    arguments.remove_prefix(std::min(end + 1, arguments.size()));
  }
  return {};
}

// The kinds that name an interface: "KIND:INTERFACE".
Result<DeviceName> on_interface(std::string_view text,
                                std::string_view kind,
                                const DeviceNeeds& needs) {
  const std::string_view interface = text.substr(kind.size() + 1);
  if (!is_interface(interface)) {
    return fail(Code::kInvalid,
                "\"{}\": an interface has 1 to {} of a-z A-Z 0-9 _ - .",
                text,
                kInterfaceBytesMax);
  }
  DeviceName device;
  device.text = text;
  device.driver = fmt::format("net_{}", kind);
  device.name = fmt::format("net_{}_{}", kind, interface);
  device.arguments = fmt::format("{},iface={}", device.name, interface);
  if (kind != "tap") {
    device.interface = interface;
  }
  if (kind == "af_packet") {
    device.arguments += ',' + packet_socket_arguments(needs);
  } else if (kind == "af_xdp" && needs.queues > 1) {
    device.arguments += fmt::format(",queue_count={}", needs.queues);
  }
  return device;
}

}  // namespace

Result<DeviceName> parse_device_name(std::string_view text, const DeviceNeeds& needs) {
  static constexpr std::array<std::string_view, 3> kKinds{"af_packet", "af_xdp", "tap"};
  for (const std::string_view kind : kKinds) {
    if (text.starts_with(kind) && text.size() > kind.size() && text[kind.size()] == ':') {
      return on_interface(text, kind, needs);
    }
  }
  DeviceName device;
  device.text = text;
  device.arguments = text;
  if (is_pci_address(text)) {
    device.driver = "pci";
    device.name = plain_pci_address(text);
    device.arguments = device.name;
    return device;
  }
  if (text.starts_with("net_") && text.size() <= kArgumentBytesMax) {
    device.name = text.substr(0, text.find(','));
    device.driver = device.name.substr(0, device.name.find_last_not_of("0123456789") + 1);
    if (device.driver == "net_af_packet" || device.driver == "net_af_xdp") {
      device.interface = argument_of(text, "iface");
      if (!is_interface(device.interface)) {
        return fail(Code::kInvalid, "\"{}\": iface=INTERFACE is missing, or no interface", text);
      }
    }
    return device;
  }
  return fail(Code::kInvalid,
              "\"{}\" is no device; there are a PCI address (0000:3b:00.0), af_packet:INTERFACE, "
              "af_xdp:INTERFACE, tap:INTERFACE, or a virtual device of DPDK (net_ring0)",
              text);
}

}  // namespace godwit::port
