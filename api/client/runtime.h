// The thread, the lock and the sockets around a Spread: what Client, Topic and Ticket call.
//
// One background thread connects, receives, runs callbacks (without the lock) and reconnects.
// Application threads take the lock, put their records into the ring themselves and wait on one
// condition variable, always with a deadline.
//
// Thread: any, except that start() and the destructor belong to the owner.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "api/client/client.h"
#include "api/client/spread.h"
#include "api/local/connect.h"
#include "api/local/descriptor.h"

namespace godwit::client {

class Runtime {
 public:
  // Starts the thread and waits at most options.deadline for the gateway.
  static Result<std::unique_ptr<Runtime>> start(const ClientOptions& options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // True in a child made by fork(): the thread is not there, nothing may be locked.
  bool is_forked() const;

  struct Opened {
    std::uint32_t index;
    std::uint64_t memory_bound;
  };
  Result<Opened> declare(const TopicOptions& options, Duration deadline);
  Result<std::uint64_t> publish(std::uint32_t topic,
                                std::span<const std::byte> values,
                                bool fixed,
                                const PublishOptions& options);
  Outcome wait(std::uint32_t topic,
               std::uint64_t number,
               Level level,
               Duration deadline,
               std::string_view site);
  std::string detail(std::uint32_t topic, std::uint64_t number);
  Result<void> subscribe(std::uint32_t topic, const SubscribeOptions& options);
  PollOutcome poll(std::uint32_t topic, const ViewCallback& callback, Duration deadline);
  Result<void> copy_sum(std::uint32_t topic, std::uint64_t first, std::span<std::int64_t> out);
  Result<void> tick(std::uint32_t topic, std::uint64_t clock);
  ClockOutcome wait_clock(std::uint32_t topic, std::uint64_t clock, Duration deadline);

  ClientStats stats();
  std::string site();
  std::vector<std::string> sites();
  bool close(Duration deadline);

 private:
  using Lock = std::unique_lock<std::mutex>;

  explicit Runtime(const ClientOptions& options);

  void run();
  void dial(Lock& lock, std::uint32_t worker);
  void turn(Lock& lock);
  void end_if_failed(std::uint32_t worker, bool is_gone);
  bool has_channel(std::uint32_t worker) const;
  std::string path_of(std::uint32_t worker) const;
  void call_back(Lock& lock, const Event& event);
  void sleep(Lock& lock);
  void stop();
  bool on_own_thread() const { return std::this_thread::get_id() == thread_id_; }
  // Waits until `done()` holds; false at the deadline, when closed, or on the background thread.
  template <class Done>
  bool wait_until(Lock& lock, Instant deadline, Done done);

  const std::string socket_;
  const pid_t owner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Spread spread_;
  std::vector<std::unique_ptr<local::SocketChannel>> channels_;  // by worker; nullptr: none
  std::vector<SubscribeOptions> subscriptions_;                  // by topic; set once
  local::Descriptor wake_;                                       // an eventfd that ends sleep()
  bool closing_ = false;
  std::thread thread_;
  std::thread::id thread_id_;  // of thread_, also after it was joined
  std::mutex joining_;         // two threads may close at once
};

}  // namespace godwit::client
