// One worker of the daemon: a thread with a port, sessions, topics and clients of its own.
//
//     port ─ QuicEndpoint ─┐
//     local::Server ───────┼─▶ Gateway ─▶ Reporter, MetricsFeed ─▶ who asks
//     FileStore ───────────┘
//
// Workers share nothing but the configuration and the virtual clocks of the links' caps: shards,
// connections and clients' sockets are dealt out to them (DESIGN: shards and workers). What others
// want of one they post to it.
//
// Thread: `post` and `has_ended` are any thread's, `start` and `join` the owner's; all else is the
// worker's own, so a posted task may call it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "api/gateway/config.h"
#include "api/gateway/gateway.h"
#include "api/gateway/link_caps.h"
#include "api/gateway/metrics_feed.h"
#include "api/gateway/report.h"
#include "api/gateway/store.h"
#include "api/local/server.h"
#include "dataplane/base/random.h"
#include "dataplane/base/result.h"
#include "dataplane/port/idle.h"
#include "dataplane/port/port.h"
#include "dataplane/transport/endpoint.h"
#include "dataplane/transport/tls_context.h"
#include "monitoring/cells.h"

namespace godwit::gateway {

// What sessions show and trust, from the files of [tls]. kIo, kCorrupt, or kRefused when the
// certificate does not name the own site.
Result<std::unique_ptr<transport::TlsContext>> load_certificate(const Config& config);

class Worker {
 public:
  using Task = std::function<void(Worker&)>;

  // Opens its port, its part of the state and its clients' socket. Configuration and caps outlive
  // it.
  static Result<std::unique_ptr<Worker>> open(const Config& config,
                                              const WorkerPlace& place,
                                              Incarnation life);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // `on_end` is called by the worker's thread, as the last thing that it does.
  void start(std::function<void()> on_end);
  void join();
  // Has it done between two turns. Nothing is done once the worker has ended.
  void post(Task task);
  bool has_ended() const { return has_ended_.load(std::memory_order_acquire); }

  // A serialised AdminRequest in, a serialised AdminResponse out: what this worker knows.
  std::string answer(std::span<const std::byte> request);
  // Sessions begun from now on show the certificate that lies on disk.
  void renew_certificate();
  // Ends after the present turn, whatever it drains.
  void stop() { stop_at_ = Instant::from_ns(0); }

  const monitoring::Cells& cells() const { return cells_; }

 private:
  Worker(const Config& config, const WorkerPlace& place);

  Result<void> open_port();
  Result<void> open_transport();
  Result<void> open_gateway(Incarnation life);
  void run();
  void turn_clients();
  void do_tasks();
  bool wants_stop(Instant now);
  void rest(Instant now);

  const Config& config_;
  WorkerPlace place_;
  Random random_;
  Instant started_;
  std::unique_ptr<port::Port> port_;
  port::Idle idle_;
  std::uint64_t packets_seen_ = 0;  // of the port, when the last turn ended
  std::unique_ptr<transport::TlsContext> tls_;
  std::unique_ptr<transport::Endpoint> endpoint_;
  std::unique_ptr<FileStore> store_;
  std::unique_ptr<Gateway> gateway_;
  local::ServerOptions client_options_;
  std::unique_ptr<local::Server> clients_;
  std::uint64_t turned_away_told_ = 1;  // so many are worth a line in the log
  monitoring::Cells cells_;
  std::unique_ptr<MetricsFeed> feed_;
  std::unique_ptr<Reporter> reporter_;
  std::optional<Instant> stop_at_;
  std::mutex tasks_mutex_;
  std::vector<Task> tasks_;
  std::atomic<bool> has_tasks_ = false;
  std::atomic<bool> has_ended_ = false;
  std::thread thread_;
};

}  // namespace godwit::gateway
