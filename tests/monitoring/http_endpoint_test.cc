// A scrape over real HTTP on loopback.
#include "monitoring/http_endpoint.h"

#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/monitoring/exposition.h"

namespace godwit::monitoring {
namespace {

const Identity kFrankfurt{.site = "fra", .version = "1", .revision = "a"};

// Whether `answer` has all the bytes that its header announces. The server keeps the connection
// open for the next request, so its end says nothing.
bool complete(const std::string& answer) {
  const std::string name = "Content-Length: ";
  const std::size_t head = answer.find("\r\n\r\n");
  const std::size_t length = answer.find(name);
  return head != std::string::npos && length < head &&
         answer.size() - (head + 4) >= std::stoul(answer.substr(length + name.size()));
}

// One GET over a blocking socket; headers and body, or empty when nobody answers.
std::string get(std::uint16_t port, const std::string& path) {
  const int socket_fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  sockaddr generic{};
  std::memcpy(&generic, &address, sizeof generic);
  if (::connect(socket_fd, &generic, sizeof address) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (::send(socket_fd, request.data(), request.size(), 0) > 0) {
      char part[4096];
      while (!complete(answer)) {
        const ssize_t got = ::recv(socket_fd, part, sizeof part, 0);
        if (got <= 0) {
          break;
        }
        answer.append(part, static_cast<std::size_t>(got));
      }
    }
  }
  ::close(socket_fd);
  return answer;
}

std::string body(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

TEST(HttpEndpoint, ServesEveryFamilyOnAFreePort) {
  Cells cells;
  const Counter sent = cells.counter(Metric::kLinkSentBytes, {"ore"});
  sent.add(42);
  const Collector collector(kFrankfurt, {&cells});
  const auto endpoint = HttpEndpoint::start(collector, 0);
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_NE(endpoint->port(), 0);
  const std::string answer = get(endpoint->port(), "/metrics");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer.substr(0, 200);
  const Exposition seen = read_exposition(body(answer));
  EXPECT_TRUE(seen.bad_lines.empty());
  for (const MetricInfo& metric : catalog()) {
    EXPECT_TRUE(seen.type.contains(std::string(metric.name))) << metric.name;
  }
  // The HTTP library adds three families about itself; there is nothing else.
  for (const auto& [name, type] : seen.type) {
    EXPECT_TRUE(name.starts_with("godwit_") || name.starts_with("exposer_")) << name;
  }
  const std::string sample = "godwit_link_sent_bytes_total{site=\"fra\",peer=\"ore\"}";
  EXPECT_EQ(seen.samples.at(sample), 42);
  sent.add(1);
  EXPECT_EQ(read_exposition(body(get(endpoint->port(), "/metrics"))).samples.at(sample), 43);
}

TEST(HttpEndpoint, ServesNothingElse) {
  const Cells cells;
  const Collector collector(kFrankfurt, {&cells});
  const auto endpoint = HttpEndpoint::start(collector, 0);
  ASSERT_TRUE(endpoint);
  EXPECT_TRUE(get(endpoint->port(), "/").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(get(endpoint->port(), "/etc/passwd").starts_with("HTTP/1.1 404"));
  EXPECT_EQ(endpoint->url(), "http://127.0.0.1:" + std::to_string(endpoint->port()) + "/metrics");
}

TEST(HttpEndpoint, SaysWhenThePortIsTaken) {
  const Cells cells;
  const Collector collector(kFrankfurt, {&cells});
  const auto first = HttpEndpoint::start(collector, 0);
  ASSERT_TRUE(first);
  const auto second = HttpEndpoint::start(collector, first->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kIo);
  EXPECT_NE(second.error().message.find(std::to_string(first->port())), std::string::npos);
}

TEST(HttpEndpoint, StopsWhenItGoes) {
  const Cells cells;
  const Collector collector(kFrankfurt, {&cells});
  std::uint16_t port = 0;
  {
    const auto endpoint = HttpEndpoint::start(collector, 0);
    ASSERT_TRUE(endpoint);
    port = endpoint->port();
  }
  EXPECT_EQ(get(port, "/metrics"), "");
}

}  // namespace
}  // namespace godwit::monitoring
