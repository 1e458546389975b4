#include "api/gateway/link_caps.h"

namespace godwit::gateway {

LinkCaps::LinkCaps(const Config& config) {
  for (const LinkConfig& link : config.links) {
    if (config.workers > 1 && !link.cap.is_unlimited()) {
      caps_.try_emplace(link.name, link.cap, config.workers);
    }
  }
}

transport::SharedCap* LinkCaps::find(const LinkConfig* link) {
  const auto at = link != nullptr ? caps_.find(link->name) : caps_.end();
  return at != caps_.end() ? &at->second : nullptr;
}

}  // namespace godwit::gateway
