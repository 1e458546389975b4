// Clients with sockets and threads of their own, and toy gateways that they meet.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>

#include "api/client/client.h"
#include "api/local/server.h"
#include "tests/api/client/toy_gateway.h"
#include "tests/support/temporary_folder.h"

namespace godwit::client {

inline local::ServerOptions server_options(const std::string& path) {
  return {.socket_path = path, .to_gateway_bytes = 1 << 20, .to_client_bytes = 1 << 20};
}

// Serves one worker's socket: every client gets a toy gateway on the common state.
class ToyServer {
 public:
  ToyServer(const std::string& path,
            ToyState& state,
            std::uint32_t workers = 0,
            std::uint32_t worker = 0)
      : state_(state), workers_(workers), worker_(worker) {
    auto server = local::Server::listen(
        server_options(worker == 0 ? path : fmt::format("{}.{}", path, worker)));
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  // One turn: waits at most 5 ms.
  void turn() {
    pollfd wait{server_->fd(), POLLIN, 0};
    ::poll(&wait, 1, 5);
    while (const auto event = server_->poll_event()) {
      if (event->kind == local::ServerEvent::Kind::kConnected) {
        auto& gateway = clients_[event->client];
        gateway = std::make_unique<ToyGateway>(state_, *server_->channel(event->client));
        gateway->workers = workers_;
        gateway->worker = worker_;
        gateway->before_safe = before_safe;
        gateway->missing = missing;
        gateway->refuse_declare = refuse_declare;
      } else if (event->kind == local::ServerEvent::Kind::kDisconnected) {
        clients_[event->client]->serve();
        clients_.erase(event->client);
        server_->forget(event->client);
      }
    }
    for (auto& [id, gateway] : clients_) {
      gateway->serve();
      gateway->deliver();
    }
  }

  std::function<void()> before_safe;
  std::vector<std::string> missing;
  std::optional<std::string> refuse_declare;

 private:
  ToyState& state_;
  const std::uint32_t workers_;
  const std::uint32_t worker_;
  std::unique_ptr<local::Server> server_;
  std::map<local::ClientId, std::unique_ptr<ToyGateway>> clients_;
};

class ClientTest : public ::testing::Test {
 protected:
  void TearDown() override { stop_gateway(); }

  // workers = 0: a gateway with one, which knows no shards.
  void start_gateway(std::uint32_t workers = 0) {
    running_ = true;
    for (std::uint32_t worker = 0; worker < std::max(1U, workers); ++worker) {
      servers_.push_back(std::make_unique<ToyServer>(path(), state_, workers, worker));
      servers_.back()->missing = missing_;
      servers_.back()->refuse_declare = refuse_declare_;
    }
    thread_ = std::thread([this] {
      while (running_) {
        const std::lock_guard lock(mutex_);
        for (const auto& server : servers_) {
          server->turn();
        }
      }
    });
  }
  void stop_gateway() {
    running_ = false;
    if (thread_.joinable()) {
      thread_.join();
    }
    servers_.clear();
  }
  std::string path() const { return folder_ / "gateway.sock"; }

  Client connect(const std::string& name = "test") {
    auto client =
        Client::connect({.socket = path(), .name = name, .deadline = Duration::seconds(5)});
    EXPECT_TRUE(client) << client.error().message;
    return std::move(*client);
  }

  std::int64_t sum_at(const std::string& topic, std::size_t element) {
    const std::lock_guard lock(mutex_);
    return state_.topics[topic].sum.at(element);
  }

  testing_support::TemporaryFolder folder_;
  ToyState state_;
  std::vector<std::string> missing_;
  std::optional<std::string> refuse_declare_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ToyServer>> servers_;  // by worker
  std::atomic<bool> running_{false};
  std::thread thread_;
};

inline constexpr Duration kSoon =
    Duration::seconds(10);  // for what must happen; a slow machine may need it

}  // namespace godwit::client
