// Publishes ten small updates and waits until each is safe.
//
// usage: godwit_publish SOCKET
#include <cstdio>
#include <vector>

#include "api/client/client.h"

int main(int argc, char** argv) {
  using godwit::Duration;
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
    return 2;
  }
  auto client = godwit::Client::connect({.socket = argv[1], .name = "example-publisher"});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 1;
  }
  auto topic = client->declare({.name = "example/weights", .element_count = 1000});
  if (!topic) {
    std::fprintf(stderr, "%s\n", topic.error().message.c_str());
    return 1;
  }
  const std::vector<float> delta(1000, 0.125F);
  for (std::uint64_t clock = 1; clock <= 10; ++clock) {
    const auto ticket = topic->publish(delta);
    const auto outcome = ticket ? ticket->wait(godwit::Level::kSafe, Duration::seconds(5))
                                : godwit::Outcome::kTimeout;
    std::printf("update %d: %s\n", static_cast<int>(clock), to_string(outcome).data());
    (void)topic->tick(clock);
  }
  return client->close(Duration::seconds(5)) ? 0 : 1;
}
