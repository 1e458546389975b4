#include "api/gateway/admin_server.h"

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"

namespace godwit::gateway {
namespace {

class Connection {
 public:
  explicit Connection(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What is there now; "closed" when the server has ended the connection.
  std::string received() const {
    std::string all;
    std::vector<char> chunk(1 << 16);
    for (;;) {
      const auto got = ::recv(fd_, chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno == ECONNRESET)) {
        return all + "closed";
      }
      if (got < 0) {
        return all;
      }
      all.append(chunk.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
  bool connected_ = false;
};

std::string framed(std::string_view body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  std::string out(sizeof(size), '\0');
  std::memcpy(out.data(), &size, sizeof(size));
  return out.append(body);
}

class Admin : public ::testing::Test {
 protected:
  Admin() {
    auto listening = AdminServer::listen(path_, [this](std::span<const std::byte> request) {
      std::string text(request.size(), '\0');
      std::memcpy(text.data(), request.data(), request.size());
      requests_.push_back(text);
      return answer_.empty() ? "you said " + text : answer_;
    });
    EXPECT_TRUE(listening.has_value()) << listening.error().message;
    server_ = std::move(*listening);
  }

  testing_support::TemporaryFolder folder_;
  std::string path_ = (folder_ / "admin").string();
  std::vector<std::string> requests_;
  std::string answer_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(Admin, AnswersARequest) {
  const Connection one(path_);
  one.send(framed("hello"));
  server_->poll();
  server_->poll();
  EXPECT_EQ(one.received(), framed("you said hello"));
}

TEST_F(Admin, IsForItsOwnUserOnly) {
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(Admin, PutsTogetherARequestThatComesByteByByte) {
  const Connection one(path_);
  for (const char c : framed("slow")) {
    one.send({&c, 1});
    server_->poll();
  }
  server_->poll();
  EXPECT_EQ(one.received(), framed("you said slow"));
}

TEST_F(Admin, AnswersRequestsThatComeTogetherOneAfterTheOther) {
  const Connection one(path_);
  one.send(framed("first") + framed("second"));
  for (int i = 0; i < 5; ++i) {
    server_->poll();
  }
  EXPECT_EQ(one.received(), framed("you said first") + framed("you said second"));
}

TEST_F(Admin, EndsAConnectionThatAnnouncesTooMuchOrNothing) {
  for (const std::uint32_t length : {0U, 65'537U, 0xFFFF'FFFFU}) {
    const Connection one(path_);
    std::string head(sizeof(length), '\0');
    std::memcpy(head.data(), &length, sizeof(length));
    one.send(head);
    server_->poll();
    server_->poll();
    EXPECT_EQ(one.received(), "closed") << length;
  }
  EXPECT_TRUE(requests_.empty());
}

TEST_F(Admin, SendsALargeAnswerInPiecesToASlowReader) {
  answer_ = std::string(3 << 20, 'x');
  const Connection one(path_);
  one.send(framed("all"));
  std::string got;
  for (int i = 0; i < 1000 && got.size() < answer_.size() + 4; ++i) {
    server_->poll();
    got += one.received();
  }
  EXPECT_TRUE(got == framed(answer_));
}

TEST_F(Admin, MakesRoomForANewConnectionByEndingTheOldest) {
  std::vector<std::unique_ptr<Connection>> many;
  for (std::size_t i = 0; i <= AdminServer::kConnectionsMax; ++i) {
    many.push_back(std::make_unique<Connection>(path_));
    ASSERT_TRUE(many.back()->connected());
    server_->poll();
  }
  EXPECT_EQ(many.front()->received(), "closed");
  many.back()->send(framed("x"));
  server_->poll();
  EXPECT_EQ(many.back()->received(), framed("you said x"));
}

TEST_F(Admin, ReplacesASocketThatADeadProcessLeftAndNoOther) {
  const auto second = AdminServer::listen(path_, [](auto) { return std::string(); });
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kRefused);
  const std::string left = (folder_ / "left").string();
  {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, left.data(), left.size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
  }
  EXPECT_TRUE(AdminServer::listen(left, [](auto) { return std::string(); }).has_value());
}

TEST_F(Admin, RefusesAPathThatIsTooLong) {
  const auto made = AdminServer::listen(std::string(200, 'x'), [](auto) { return std::string(); });
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace godwit::gateway
