// The caps of a gateway's links, which its workers keep together.
//
// Thread: made before the workers and outlives them; nothing is added after that.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "api/gateway/config.h"
#include "dataplane/transport/shared_cap.h"

namespace godwit::gateway {

class LinkCaps {
 public:
  explicit LinkCaps(const Config& config);
  LinkCaps(const LinkCaps&) = delete;
  LinkCaps& operator=(const LinkCaps&) = delete;

  // nullptr: the link has no cap, or one worker.
  transport::SharedCap* find(const LinkConfig* link);

 private:
  std::map<std::string, transport::SharedCap> caps_;  // by the link's name
};

// A worker among those of its gateway.
struct WorkerPlace {
  std::uint32_t index = 0;
  LinkCaps* caps = nullptr;  // nullptr: there is one worker
};

}  // namespace godwit::gateway
