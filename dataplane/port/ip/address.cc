#include "dataplane/port/ip/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "dataplane/base/assert.h"

namespace godwit::port::ip {
namespace {

// The bits of byte `index` that belong to a prefix.
std::uint8_t mask_of(unsigned prefix_bits, std::size_t index) {
  const auto bits = static_cast<int>(prefix_bits) - static_cast<int>(index) * 8;
  return static_cast<std::uint8_t>(0xff00U >> std::clamp(bits, 0, 8));
}

}  // namespace

Address Address::of(std::span<const std::byte> octets) {
  GODWIT_ASSERT(octets.size() == 4 || octets.size() == 16);
  Address address;
  address.is_v6 = octets.size() == 16;
  std::memcpy(address.bytes.data(), octets.data(), octets.size());
  return address;
}

Result<Address> Address::parse(std::string_view text) {
  const bool is_v6 = text.find(':') != std::string_view::npos;
  const auto peer = Peer::parse(is_v6 ? fmt::format("[{}]:0", text) : fmt::format("{}:0", text));
  if (!peer) {
    return fail(Code::kInvalid, "'{}' is no numeric IPv4 or IPv6 address", text);
  }
  return of(*peer);
}

Peer Address::with_port(std::uint16_t udp_port) const {
  return is_v6 ? Peer::v6(bytes, udp_port)
               : Peer::v4({bytes[0], bytes[1], bytes[2], bytes[3]}, udp_port);
}

std::string Address::format() const {
  const std::string text = with_port(0).format();  // "1.2.3.4:0" or "[::1]:0"
  return is_v6 ? text.substr(1, text.size() - 4) : text.substr(0, text.size() - 2);
}

bool Address::is_one_host() const {
  if (is_unspecified()) {
    return false;
  }
  if (!is_v6) {
    return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
  }
  // ::/96 with ::1, and ::ffff:0:0/96.
  const bool is_zero =
      std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; });
  const bool is_embedded =
      is_zero && ((bytes[10] == 0 && bytes[11] == 0) || (bytes[10] == 0xff && bytes[11] == 0xff));
  return bytes[0] != 0xff && !is_embedded;
}

bool Address::is_link_local() const {
  return is_v6 ? bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80
               : bytes[0] == 169 && bytes[1] == 254;
}

Result<Subnet> Subnet::parse(std::string_view text) {
  const auto slash = text.find('/');
  auto address = Address::parse(text.substr(0, slash));
  if (!address) {
    return tl::unexpected(address.error());
  }
  const std::string_view digits = slash == text.npos ? "" : text.substr(slash + 1);
  unsigned bits = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const unsigned most = address->is_v6 ? 128 : 32;
  if (digits.empty() || error != std::errc() || stop != digits.data() + digits.size() ||
      bits == 0 || bits > most) {
    return fail(Code::kInvalid, "'{}': an address, '/', and a prefix of 1 to {} bits", text, most);
  }
  if (!address->is_one_host()) {
    return fail(Code::kInvalid, "'{}' cannot be the address of a host", text);
  }
  return Subnet{*address, bits};
}

bool Subnet::contains(const Address& other) const {
  if (other.is_v6 != address.is_v6) {
    return false;
  }
  const std::size_t count = address.octets().size();
  for (std::size_t index = 0; index < count; ++index) {
    if (((other.bytes[index] ^ address.bytes[index]) & mask_of(prefix_bits, index)) != 0) {
      return false;
    }
  }
  return true;
}

bool Subnet::is_edge(const Address& other) const {
  if (address.is_v6 || prefix_bits >= 31 || !contains(other)) {
    return false;
  }
  bool all_zero = true;
  bool all_one = true;
  for (std::size_t index = 0; index < 4; ++index) {
    const auto host = static_cast<std::uint8_t>(~mask_of(prefix_bits, index));
    all_zero = all_zero && (other.bytes[index] & host) == 0;
    all_one = all_one && (other.bytes[index] & host) == host;
  }
  return all_zero || all_one;
}

}  // namespace godwit::port::ip
