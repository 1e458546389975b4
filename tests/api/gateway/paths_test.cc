// Where the gateway may put its sockets and its state.
#include "api/gateway/paths.h"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/gateway/config.h"

namespace godwit::gateway {
namespace {

std::string refusal(std::string_view line) {
  const auto config =
      parse_config(fmt::format("version = 1\n[self]\nsite = \"a\"\n{}\n"
                               "[tls]\nca = \"ca.pem\"\ncert = \"a.pem\"\nkey = \"a.key\"\n"
                               "[sites.a]\nendpoint = \"127.0.0.1:7001\"\n"
                               "[sites.b]\nendpoint = \"127.0.0.1:7002\"\n",
                               line),
                   "f.toml");
  return config ? "none" : config.error().message;
}

TEST(Paths, OfCapturesAreOfOneWorkerAlone) {
  std::set<std::string> names{"a.pcap.1"};  // what the first one's becomes when it is full
  for (std::uint32_t worker = 0; worker < 64; ++worker) {
    const std::string name = capture_of("a.pcap", worker);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(names.insert(name + ".1").second || worker == 0) << name;
  }
}

TEST(Paths, OfASocketAreNoDirectories) {
  EXPECT_EQ(socket_path_problem("/run/s"), std::nullopt);
  for (const char* key : {"client", "admin"}) {
    for (const char* path : {"/", "/run/godwit/"}) {
      EXPECT_EQ(refusal(fmt::format("{} = \"{}\"", key, path)),
                fmt::format("f.toml:4:{}: [self] {}: \"{}\" is a directory; give the path of a "
                            "socket in it",
                            std::string_view(key).size() + 4,
                            key,
                            path));
    }
  }
}

TEST(Paths, ThatAreEmptyAreComplainedOfOnce) {
  for (const char* key : {"state_dir", "durable_dir"}) {
    const std::string said = refusal(fmt::format("{} = \"\"", key));
    EXPECT_NE(said.find("must not be empty"), std::string::npos) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 0) << said;
  }
}

}  // namespace
}  // namespace godwit::gateway
