#include "dataplane/port/udp.h"

#include <cstdlib>
#include <string_view>

#include "dataplane/base/log.h"
#include "dataplane/port/epoll/epoll_port.h"
#include "dataplane/port/uring/uring_port.h"

namespace godwit::port {
namespace {

UdpEngine chosen_engine(UdpEngine engine) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets variables in this process.
  const char* wish = std::getenv("GODWIT_PORT_ENGINE");
  if (engine != UdpEngine::kAutomatic || wish == nullptr) {
    return engine;
  }
  const std::string_view name(wish);
  return name == "epoll"   ? UdpEngine::kEpoll
         : name == "uring" ? UdpEngine::kUring
                           : UdpEngine::kAutomatic;
}

}  // namespace

Result<std::unique_ptr<Port>> make_udp_port(const UdpOptions& options) {
  const UdpEngine engine = chosen_engine(options.engine);
  if (engine != UdpEngine::kEpoll) {
    auto port = UringPort::open(options);
    if (port || engine == UdpEngine::kUring || port.error().code != Code::kUnsupported) {
      return port;
    }
    log::info("UDP {}: {}; using epoll", options.local.format(), port.error().message);
  }
  return EpollPort::open(options);
}

}  // namespace godwit::port
