#include "tests/api/cli/fake_gateway.h"

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

namespace godwit::cli {
namespace {

std::string receive(int fd, std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    const ssize_t n = recv(fd, bytes.data() + got, count - got, 0);
    if (n <= 0) {
      return "";
    }
    got += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace

FakeGateway::FakeGateway(const std::string& path, Answer answer) : answer_(std::move(answer)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  GODWIT_ASSERT(path.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  GODWIT_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  GODWIT_ASSERT(listen(listener_, 4) == 0);
  thread_ = std::thread([this] { serve(); });
}

FakeGateway::~FakeGateway() {
  shutdown(listener_, SHUT_RDWR);  // wakes accept
  thread_.join();
  close(listener_);
}

std::string FakeGateway::framed(const std::string& body) {
  std::array<std::byte, 4> length{};
  ByteWriter(length).u32(static_cast<std::uint32_t>(body.size()));
  return std::string(as_text(length)) + body;
}

void FakeGateway::serve() {
  std::vector<int> silent;
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      break;
    }
    const std::string length = receive(fd, 4);
    const std::string answer = answer_(receive(fd, ByteReader(as_bytes(length)).u32()));
    if (answer.empty()) {
      silent.push_back(fd);
      continue;
    }
    send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    close(fd);
  }
  for (const int fd : silent) {
    close(fd);
  }
}

}  // namespace godwit::cli
