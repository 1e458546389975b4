// The table [port]: how this gateway's datagrams leave its host.
//
// `kind` chooses. What else stands there describes the DPDK device: it is always checked, and used
// when the kind is dpdk, whether the file says so or `godwitd --port`.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/gateway/config.h"
#include "api/gateway/toml_reader.h"
#include "dataplane/base/result.h"
#include "dataplane/port/make_port.h"

namespace godwit::gateway {

// `table` may be null: everything but a device has a default. `kind` is used instead of the
// table's.
PortConfig read_port(const toml::table* table,
                     std::optional<std::string_view> kind,
                     Problems& problems);

// What of the table does not fit `endpoint`, where the own site listens, or itself: an address that
// no host can have, a gateway outside of its network. Where the kind is not dpdk, of a table that
// says nothing about the network nothing is asked.
void check_port(const toml::table* table,
                const PortConfig& config,
                std::string_view endpoint,
                Problems& problems);

// The keys and values of the table as TOML, with every default.
std::string port_as_toml(const PortConfig& config);

// What a worker's port is made of. `endpoint` is where the own site listens, "host:port"; worker i
// has that port + i. kInvalid, naming the key.
Result<port::PortOptions> port_options(const PortConfig& config,
                                       std::string_view endpoint,
                                       std::uint32_t worker = 0,
                                       std::uint32_t workers = 1);

}  // namespace godwit::gateway
