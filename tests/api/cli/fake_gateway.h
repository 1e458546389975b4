// A thread that answers the admin socket as a test tells it to, one connection after the other.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace godwit::cli {

class FakeGateway {
 public:
  // `answer` gets the request's bytes, without the length, and returns all bytes to write back,
  // with the length; after that the connection is closed. An empty answer keeps it open and
  // silent until the gateway is destroyed.
  using Answer = std::function<std::string(const std::string& request)>;

  FakeGateway(const std::string& path, Answer answer);
  ~FakeGateway();
  FakeGateway(const FakeGateway&) = delete;
  FakeGateway& operator=(const FakeGateway&) = delete;

  // `body` with its length in front.
  static std::string framed(const std::string& body);

 private:
  void serve();

  Answer answer_;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace godwit::cli
