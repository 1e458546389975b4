// Bulk and control through our session, from one site of an emulated path to another one.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/port/peer.h"

namespace godwit::bench {

struct PathQuicOptions {
  std::string certificates;  // folder with ca.pem, <site>.pem, <site>.key
  std::string site;          // ours
  std::string peer_site;
  port::Peer local;
  port::Peer peer;  // of the sender only the host counts
  BitRate cap = BitRate::unlimited();
  Duration rtt_expected;
  Duration length;         // of the whole run
  Duration control_every;  // zero: no control messages
};

// Both return what they have to say in JSON when `length` has passed.
Result<nlohmann::ordered_json> send_quic(const PathQuicOptions& options);
Result<nlohmann::ordered_json> receive_quic(const PathQuicOptions& options);

}  // namespace godwit::bench
