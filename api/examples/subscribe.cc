// Prints what the other publishers change, for as long as changes arrive within ten seconds.
//
// usage: godwit_subscribe SOCKET
#include <cstdio>
#include <vector>

#include "api/client/client.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
    return 2;
  }
  auto client = godwit::Client::connect({.socket = argv[1], .name = "example-subscriber"});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 1;
  }
  auto topic = client->declare({.name = "example/weights", .element_count = 1000});
  if (!topic || !topic->subscribe()) {
    std::fprintf(stderr, "the topic cannot be opened\n");
    return 1;
  }
  std::vector<float> weights(1000, 0.0F);
  const auto add = [&](const godwit::View& view) { view.add_to(weights); };
  while (topic->poll(add, godwit::Duration::seconds(10)).elements != 0) {
    std::printf("weight 0 is %g, weight 999 is %g\n",
                static_cast<double>(weights.front()),
                static_cast<double>(weights.back()));
  }
  return 0;
}
