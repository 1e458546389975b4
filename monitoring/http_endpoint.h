// Serves /metrics over HTTP on loopback.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "monitoring/collector.h"

namespace godwit::monitoring {

// The HTTP server of prometheus-cpp with two threads of its own, which it joins when it goes. It
// answers GET /metrics and nothing else. Loopback only: who wants it elsewhere puts a proxy with
// authentication in front. The collector must outlive it.
// Thread: start and destroy in one thread. Memory: the library's.
class HttpEndpoint {
 public:
  // `port` 0 takes a free one. kIo when the port is taken or the server does not start.
  static Result<HttpEndpoint> start(const Collector& collector, std::uint16_t port);
  ~HttpEndpoint();
  HttpEndpoint(HttpEndpoint&&) noexcept;
  HttpEndpoint& operator=(HttpEndpoint&&) noexcept;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string url() const;  // "http://127.0.0.1:PORT/metrics"

 private:
  struct Server;
  explicit HttpEndpoint(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace godwit::monitoring
