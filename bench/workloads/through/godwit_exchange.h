// The exchange under test: deltas go into a Godwit topic, the other sites' changes come out of it.
//
// It also keeps a log of its own: the sum, in the topic's integers, of everything it has published,
// and writes it to a file when asked. The auditor compares what sites hold with these logs.
//
// Thread: one caller; the client library has a thread of its own. Memory: 8 B × elements for the
// log besides the library's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client/client.h"
#include "bench/workloads/trainer/exchange.h"

namespace godwit::through {

// Of the topic: values are multiples of 2^-40 (the library's default).
inline constexpr std::uint32_t kFractionBits = 40;
inline constexpr char kTopicName[] = "quickstart/model";

struct GodwitOptions {
  std::string socket;    // of this site's gateway
  std::string name;      // of this publisher
  std::string log_file;  // where the log goes at the end; empty: nowhere
};

class GodwitExchange final : public trainer::Exchange {
 public:
  GodwitExchange(GodwitOptions options, std::size_t elements);
  ~GodwitExchange() override;

  Result<void> connect(Instant deadline) override;
  Result<void> publish(std::uint64_t step, std::span<const float> delta) override;
  Result<void> collect(std::uint64_t step, std::span<float> parameters) override;
  std::string description() const override;

 private:
  // Adds what a publish of `delta` adds at the gateway: each value rounded once, half to even.
  void log(std::span<const float> delta);

  GodwitOptions options_;
  std::vector<std::int64_t> published_;
  std::optional<Client> client_;
  std::optional<Topic> topic_;
};

}  // namespace godwit::through
