// The emulator's socket with real clients, good and idle ones.
#include "bench/wan/control_socket.h"

#include <array>
#include <chrono>
#include <cstring>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/temporary_folder.h"

namespace godwit::wan {
namespace {

class ControlSocketTest : public ::testing::Test {
 protected:
  ControlSocketTest() {
    auto socket = ControlSocket::listen(path_, epoll_.get());
    EXPECT_TRUE(socket.has_value());
    socket_.push_back(std::move(*socket));
  }

  // A client that says nothing.
  Descriptor idle_client() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, path_.size());
    Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    turn();
    return client;
  }

  void turn() {
    std::array<epoll_event, 16> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), 10);
    for (int i = 0; i < count; ++i) {
      socket_.front().on_event(events.at(static_cast<std::size_t>(i)).data.fd,
                               [](std::string_view line) { return "heard " + std::string(line); });
    }
  }

  // What another thread is answered.
  std::string answer_to(const std::string& line) {
    auto reply = std::async(std::launch::async, [&] { return ask(path_, line); });
    while (reply.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      turn();
    }
    const auto said = reply.get();
    return said ? *said : said.error().message;
  }

  testing_support::TemporaryFolder folder_;
  std::string path_ = folder_ / "control.sock";
  Descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<ControlSocket> socket_;  // one
};

TEST_F(ControlSocketTest, AnswersALineWithALine) {
  EXPECT_EQ(answer_to("links"), "heard links");
}

TEST_F(ControlSocketTest, AnswersHoweverManyClientsSayNothing) {
  std::vector<Descriptor> idle;
  for (std::size_t i = 0; i < kClientsMax + 6; ++i) {
    idle.push_back(idle_client());
  }
  EXPECT_EQ(answer_to("links"), "heard links");
}

}  // namespace
}  // namespace godwit::wan
