#include "dataplane/port/ip/fate.h"

namespace godwit::port::ip {

std::string_view to_string(Fate fate) {
  static constexpr std::array<std::string_view, kFates> kNames = {
      "delivered",     "neighbour",        "echo",       "path_mtu",     "overheard",
      "truncated",     "looped",           "not_ours",   "wrong_vlan",   "unknown_type",
      "bad_arp",       "bad_ip",           "ip_options", "ip_fragment",  "bad_source",
      "wrong_host",    "unknown_protocol", "bad_udp",    "bad_checksum", "wrong_port",
      "bad_neighbour", "unheeded",         "too_many",   "conflict"};
  return kNames[static_cast<std::size_t>(fate)];
}

}  // namespace godwit::port::ip
