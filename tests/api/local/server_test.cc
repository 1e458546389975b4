#include "api/local/server.h"

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/local/connect.h"
#include "api/local/greeting.h"
#include "api/local/shared_memory.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/system_time.h"
#include "tests/support/temporary_folder.h"

namespace godwit::local {
namespace {

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override { start(); }

  void start(ServerOptions options = {}) {
    options.socket_path = path();
    if (options.to_gateway_bytes > (1U << 20)) {
      options.to_gateway_bytes = 1 << 16;
      options.to_client_bytes = 1 << 16;
    }
    auto made = Server::listen(options);
    ASSERT_TRUE(made) << made.error().message;
    server_ = std::move(*made);
  }

  std::string path() const { return folder_.path() / "gateway.sock"; }

  // Waits for the server's next event; fails after five seconds.
  ServerEvent next_event() {
    const Instant until = system_now() + Duration::seconds(5);
    if (!events_.empty()) {
      ServerEvent event = events_.front();
      events_.pop_front();
      return event;
    }
    while (system_now() < until) {
      if (auto event = server_->poll_event()) {
        return *event;
      }
      pollfd wait{server_->fd(), POLLIN, 0};
      ::poll(&wait, 1, 100);
    }
    ADD_FAILURE() << "no event";
    return {};
  }

  // Runs `body` in a child process; returns its pid.
  static pid_t spawn(const std::function<void()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    return child;
  }

  // A client of this process: the server is served from a second thread meanwhile.
  Result<std::unique_ptr<SocketChannel>> connect_here() {
    std::atomic<bool> done{false};
    std::thread serve([&] {
      while (!done) {
        if (auto event = server_->poll_event()) {
          events_.push_back(*event);
        }
        pollfd wait{server_->fd(), POLLIN, 0};
        ::poll(&wait, 1, 5);
      }
    });
    auto channel = connect(path(), Duration::seconds(5));
    done = true;
    serve.join();
    return channel;
  }

  Descriptor raw_connection() const {
    sockaddr_un address{};
    EXPECT_TRUE(fill_address(path().c_str(), address));
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const void* place = &address;
    EXPECT_EQ(::connect(socket.get(), static_cast<const sockaddr*>(place), sizeof(address)), 0);
    return socket;
  }

  static void finish(pid_t child, int signal) {
    if (signal != 0) {
      ::kill(child, signal);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
  }

  testing_support::TemporaryFolder folder_;
  std::unique_ptr<Server> server_;
  std::deque<ServerEvent> events_;  // seen by connect_here()
};

TEST_F(ServerTest, GreetsAClientAndPassesRecordsBothWays) {
  const pid_t child = spawn([&] {
    auto channel = connect(path(), Duration::seconds(5));
    if (!channel || !(*channel)->send(1, as_bytes("question"))) {
      ::_exit(1);
    }
    pollfd wait{(*channel)->fd(), POLLIN, 0};
    while (true) {
      if (const auto answer = (*channel)->receive()) {
        ::_exit(as_text(answer->body) == "answer" ? 0 : 2);
      }
      ::poll(&wait, 1, 5000);
      (*channel)->clear_doorbell();
    }
  });
  const ServerEvent connected = next_event();
  EXPECT_EQ(connected.kind, ServerEvent::Kind::kConnected);
  EXPECT_EQ(connected.uid, ::getuid());
  EXPECT_EQ(connected.pid, child);
  Channel* const channel = server_->channel(connected.client);
  ASSERT_NE(channel, nullptr);
  std::optional<RecordView> question = channel->receive();
  while (!question) {
    EXPECT_EQ(next_event().kind, ServerEvent::Kind::kDoorbell);
    question = channel->receive();
  }
  EXPECT_EQ(as_text(question->body), "question");
  EXPECT_TRUE(channel->send(64, as_bytes("answer")));
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  ServerEvent last = next_event();
  while (last.kind == ServerEvent::Kind::kDoorbell) {
    last = next_event();
  }
  EXPECT_EQ(last.kind, ServerEvent::Kind::kDisconnected);
}

// The child fills its ring, leaves a last record unfinished and is killed; everything complete and
// nothing else can be drained afterwards.
TEST_F(ServerTest, DrainsTheCompleteRecordsOfAKilledClient) {
  constexpr int kRecords = 50;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = spawn([&] {
    auto channel = connect(path(), Duration::seconds(5));
    for (int i = 0; i < kRecords; ++i) {
      if (!channel || !(*channel)->send(1, std::as_bytes(std::span(&i, 1)))) {
        ::_exit(1);
      }
    }
    const char done = 1;
    (void)!::write(ready[1], &done, 1);
    ::pause();
  });
  const ServerEvent connected = next_event();
  ASSERT_EQ(connected.kind, ServerEvent::Kind::kConnected);
  char done = 0;
  ASSERT_EQ(::read(ready[0], &done, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  finish(child, SIGKILL);
  ServerEvent gone = next_event();
  while (gone.kind == ServerEvent::Kind::kDoorbell) {
    gone = next_event();
  }
  ASSERT_EQ(gone.kind, ServerEvent::Kind::kDisconnected);
  Channel* const channel = server_->channel(gone.client);
  ASSERT_NE(channel, nullptr);
  for (int i = 0; i < kRecords; ++i) {
    const auto record = channel->receive();
    ASSERT_TRUE(record) << "record " << i;
    int value = -1;
    std::memcpy(&value, record->body.data(), sizeof(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(channel->receive());
  EXPECT_FALSE(channel->broken());
  EXPECT_TRUE(channel->send(64, as_bytes("to nobody"))) << "sending to the dead is harmless";
  server_->forget(gone.client);
  EXPECT_EQ(server_->channel(gone.client), nullptr);
  EXPECT_EQ(server_->client_count(), 0U);
}

TEST_F(ServerTest, TheClientSeesTheGatewayGo) {
  auto channel = connect_here();
  ASSERT_TRUE(channel) << channel.error().message;
  EXPECT_TRUE((*channel)->clear_doorbell());
  server_.reset();
  EXPECT_FALSE((*channel)->clear_doorbell());
}

TEST_F(ServerTest, ReplacesTheSocketOfADeadGatewayButNotOfALivingOne) {
  const auto second = Server::listen({.socket_path = path()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kRefused);
  const pid_t child = spawn([&] {
    const std::string other = path() + ".other";
    auto server = Server::listen({.socket_path = other});
    ::_exit(server ? 0 : 1);  // leaves the socket's name behind
  });
  finish(child, 0);
  ASSERT_EQ(::access((path() + ".other").c_str(), F_OK), 0);
  EXPECT_TRUE(Server::listen({.socket_path = path() + ".other"}));
}

TEST_F(ServerTest, SealsTheMemorySoThatAClientCannotTruncateIt) {
  auto memory = SharedMemory::create({4096, 4096});
  ASSERT_TRUE(memory);
  EXPECT_NE(::ftruncate(memory->fd(), 0), 0);
  EXPECT_NE(::ftruncate(memory->fd(), 1 << 20), 0);
}

TEST_F(ServerTest, DropsAConnectionThatDoesNotSpeakTheGreeting) {
  const Descriptor raw = raw_connection();
  const std::string noise(64, 'x');
  ASSERT_EQ(::send(raw.get(), noise.data(), noise.size(), MSG_NOSIGNAL), 64);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(server_->poll_event());
  }
  EXPECT_EQ(server_->client_count(), 0U);
  EXPECT_EQ(server_->turned_away().by_version, 1U);
  EXPECT_EQ(server_->turned_away().by_limit, 0U);
}

TEST_F(ServerTest, SilentConnectionsGiveWayAndCostNoRings) {
  std::vector<Descriptor> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(raw_connection());
    EXPECT_FALSE(server_->poll_event());
  }
  EXPECT_LE(server_->client_count(), 64U);
  EXPECT_TRUE(connect_here()) << "an honest client still gets in";
}

TEST_F(ServerTest, DescriptorsThatAClientSendsAreClosed) {
  const auto open_descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd) {
      count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
  };
  const Descriptor raw = raw_connection();
  (void)server_->poll_event();
  const int before = open_descriptors();
  char byte = 'G';
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int mine = raw.get();
  std::memcpy(CMSG_DATA(rights), &mine, sizeof(mine));
  ASSERT_EQ(::sendmsg(raw.get(), &message, MSG_NOSIGNAL), 1);
  for (int i = 0; i < 5; ++i) {
    (void)server_->poll_event();
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ServerTest, TurnsClientsAwayBeyondItsLimit) {
  server_.reset();
  start({.to_gateway_bytes = 4096, .to_client_bytes = 4096, .clients_max = 2});
  auto first = connect_here();
  auto second = connect_here();
  EXPECT_TRUE(first && second);
  const auto third = connect_here();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kFull);
  EXPECT_EQ(server_->turned_away().by_limit, 1U);
  EXPECT_EQ(server_->turned_away().by_version, 0U);
}

// A client that floods the doorbell costs one event per poll, nothing more.
TEST_F(ServerTest, AFloodOfDoorbellsIsTakenInBulk) {
  auto channel = connect_here();
  ASSERT_TRUE(channel);
  (void)next_event();  // connected
  const std::string flood(3000, 'x');
  ASSERT_EQ(::send((*channel)->fd(), flood.data(), flood.size(), MSG_NOSIGNAL), 3000);
  EXPECT_EQ(next_event().kind, ServerEvent::Kind::kDoorbell);
  EXPECT_FALSE(server_->poll_event());
}

}  // namespace
}  // namespace godwit::local
