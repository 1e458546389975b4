// The one file that knows prometheus-cpp's HTTP server; its exceptions end here.
#include "monitoring/http_endpoint.h"

#include <exception>
#include <utility>
#include <vector>

#include <prometheus/exposer.h>

namespace godwit::monitoring {

struct HttpEndpoint::Server {
  std::unique_ptr<prometheus::Exposer> exposer;
  std::uint16_t port = 0;
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Server> server) : server_(std::move(server)) {}
HttpEndpoint::~HttpEndpoint() = default;
HttpEndpoint::HttpEndpoint(HttpEndpoint&&) noexcept = default;
HttpEndpoint& HttpEndpoint::operator=(HttpEndpoint&&) noexcept = default;

Result<HttpEndpoint> HttpEndpoint::start(const Collector& collector, std::uint16_t port) {
  try {
    auto server = std::make_unique<Server>();
    // Two threads: a scraper and a person. An idle connection holds its thread, and our own end,
    // for at most this timeout; a scraper that is cut off simply connects again.
    const std::vector<std::string> options = {"listening_ports",
                                              "127.0.0.1:" + std::to_string(port),
                                              "num_threads",
                                              "2",
                                              "request_timeout_ms",
                                              "300"};
    server->exposer = std::make_unique<prometheus::Exposer>(options);
    server->exposer->RegisterCollectable(collector.collectable());
    const std::vector<int> ports = server->exposer->GetListeningPorts();
    if (ports.empty()) {
      return fail(Code::kIo, "metrics: the HTTP server took no port");
    }
    server->port = static_cast<std::uint16_t>(ports.front());
    return HttpEndpoint(std::move(server));
  } catch (const std::exception& problem) {
    return fail(Code::kIo,
                "metrics: cannot listen on 127.0.0.1:{} ({}); is another gateway using it? "
                "Choose another metrics_port, or 0 for no metrics",
                port,
                problem.what());
  }
}

std::uint16_t HttpEndpoint::port() const {
  return server_->port;
}

std::string HttpEndpoint::url() const {
  return "http://127.0.0.1:" + std::to_string(server_->port) + "/metrics";
}

}  // namespace godwit::monitoring
