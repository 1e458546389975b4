// The tables [sites.NAME]: who the data centres are, and where their gateways are reached.
//
// Thread: any.
#pragma once

#include <toml++/toml.h>

#include "api/gateway/config.h"
#include "api/gateway/toml_reader.h"

namespace godwit::gateway {

// Where the own gateway's socket is bound: its one endpoint; with several, every address of the
// host at their port.
std::string listen_endpoint(const SiteConfig& self);

// Reads config.sites, in the order of their names.
void read_sites(TableReader& root, Problems& problems, Config& config);

// Whether a packet can go from the own site, config.site, to every other: a peer's endpoint is that
// of one host, and of a family that the own address can send to. To be called when the own site and
// the port are read; `document` is the whole file, for the places.
void check_endpoints(const toml::table& document, Problems& problems, const Config& config);

}  // namespace godwit::gateway
