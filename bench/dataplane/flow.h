// One encrypted flow over loopback between two threads, measured in phases.
//
//     sender's thread ──turn──▶ Flow ──loopback──▶ Flow ◀──turn── receiver's thread
//
// Between phases both threads give the flow resting turns, so that it stays alive while another
// one is measured; what happens in them is not counted.
//
// Thread: `turn` and `received` of a side belong to that side's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::bench {

enum class Side : std::uint8_t {
  kSender,
  kReceiver
};

enum class Effort : std::uint8_t {
  kRest,  // stay alive, begin nothing new
  kFull   // as much as goes through
};

// The most that one turn may sleep: the precision of a phase's end.
inline constexpr Duration kTurnWait = Duration::ms(2);

class Flow {
 public:
  virtual ~Flow() = default;
  // Some work of one side; returns within a few kTurnWait.
  virtual void turn(Side side, Effort effort) = 0;
  // The last call of each side, by its own thread: a port ends where it was used.
  virtual void finish(Side) {}
  // Payload bytes that came out decrypted and checked; asked by the receiver's thread.
  virtual std::uint64_t received() const = 0;
};

// QUIC as a gateway speaks it: our session over our io_uring port, transfers of 64 KiB.
Result<std::unique_ptr<Flow>> make_quic_flow();
// Kernel TCP with TLS 1.3 by OpenSSL, TLS_AES_128_GCM_SHA256, writes of 64 KiB.
Result<std::unique_ptr<Flow>> make_tls_flow();
// AES-128-GCM by GnuTLS for each packet of 1,452 bytes, UDP GSO and GRO, and nothing else: no
// acknowledgement, no repetition, no congestion control. The bound for any transport of ours.
Result<std::unique_ptr<Flow>> make_aead_flow();
// The same by the cipher that our sessions use here: libipsec-mb's where it can be used.
Result<std::unique_ptr<Flow>> make_own_aead_flow();

// What one phase did.
struct Work {
  std::uint64_t bytes = 0;  // payload received
  Duration sender;          // processor time of the sender's thread
  Duration receiver;        // processor time of the receiver's thread
  // Calls of malloc by each side's thread, libraries included.
  std::uint64_t sender_mallocs = 0;
  std::uint64_t receiver_mallocs = 0;
};

// Owns a flow and its two threads, each on a core of its own where there are two.
class FlowRunner {
 public:
  explicit FlowRunner(std::unique_ptr<Flow> flow);
  ~FlowRunner();
  FlowRunner(const FlowRunner&) = delete;
  FlowRunner& operator=(const FlowRunner&) = delete;

  // Runs the flow at full effort for `length`, or until the first bytes if they take longer (at
  // most 10 s longer: then `bytes` is 0); blocks until both sides have stopped.
  Work run(Duration length);

 private:
  void loop(Side side);
  void work(Side side);

  std::unique_ptr<Flow> flow_;
  Work work_;                             // each side writes its members before `finished_`
  std::atomic<std::int64_t> ends_at_{0};  // CLOCK_MONOTONIC, ns
  std::atomic<int> phase_{0};
  std::atomic<int> finished_{0};
  std::atomic<bool> carried_{false};  // something has arrived in this phase
  std::atomic<bool> stop_{false};
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace godwit::bench
