// The client library: publish and subscribe to the model updates of all sites through a gateway.
//
//   auto client = godwit::Client::connect({.socket = "/run/godwit/fra/client.sock"});
//   auto topic = client->declare(
//       {.name = "ctr/dense", .element_count = weights.size(), .tolerance = 1e-4});
//   topic->subscribe({});                         // the other sites' changes, polled
//   auto ticket = topic->publish(delta);          // span<const float>
//   topic->poll([&](const godwit::View& view) { view.add_to(weights); });
//   topic->tick(clock);
//   topic->wait_clock(clock - 4, godwit::Duration::seconds(20));
//
// Every call that can wait takes a deadline. A client outlives its gateway: it reconnects for ever
// and resends what is not safe under the same numbers, so nothing is lost and nothing doubled.
//
// Thread: every function may be called from any thread. One background thread belongs to the
// Client; callbacks run on it, one at a time, and must not wait. Topic and Ticket are handles that
// must not outlive their Client. After fork() the child gets errors, never a hang.
// Memory: publishes not yet safe (unsafe_bytes_max) and one more, 16 bytes per element of a
// subscription that is polled and 8 of one that keeps its sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit {

namespace client {
class Runtime;
}

struct ClientOptions {
  // Of the site's gateway: [self] client of its configuration, /run/godwit/SITE/client.sock if that
  // says nothing.
  std::string socket = {};
  // Names this publisher for ever: a restarted process with the same name may repeat steps, also
  // after a clean close(). A topic has 32 places at a site: one for each publisher that is
  // connected, and one for each name that has published a step.
  std::string name = {};
  // How long connect() waits for the first connection.
  Duration deadline = Duration::seconds(10);
  // Copies of publishes that are not yet safe. Chosen: eight rings of the gateway's default.
  std::size_t unsafe_bytes_max = std::size_t{256} << 20;
};

// Only changes that reach a share of the current value travel; smaller ones wait and add up.
struct Significance {
  double threshold = 0.0;          // |change| / |value|, [0, 1000]; 0 = everything travels
  bool decays_with_clock = false;  // threshold / sqrt(clock), as in Gaia

  bool operator==(const Significance&) const = default;
};

struct TopicOptions {
  // Parts with a single '/' between them, at most 255 bytes of printable ASCII; no part is empty,
  // "." or "..", or has a '*'.
  std::string name = {};
  std::uint64_t element_count = 0;
  std::uint32_t fraction_bits = 40;  // quantum = 2^-fraction_bits
  // Into how many shards, served by the gateway's workers side by side: a power of two up to 64,
  // equal for all who declare the topic at any site; every shard has at least one tile of 32,768
  // elements. 0: one for each 2^20 elements, rounded down to a power of two.
  std::uint32_t shards = 0;
  // Absolute, per element; what `applied` and clocks may leave out. With 0 both wait for the last
  // bit of every change, which is sent last: with clocks name one that the training does not feel.
  // [0, 10^6].
  double tolerance = 0.0;
  // Travels with every transfer and is shown by `godwit topic`; no share is enforced yet.
  std::string tenant = {};
  std::string service_class = {};
  std::vector<std::string> allowed_sites = {};  // residency, a set; empty: every site
  // When an update should have arrived, up to 100 days; zero: none.
  Duration update_deadline = Duration::zero();
  Significance significance = {};
  // Initial values, or empty; copied, equal at all sites. Each is finite and below
  // 2^(62 - fraction_bits) in magnitude, the range of every sum.
  std::span<const float> seed = {};
};

struct PublishOptions {
  std::uint64_t first = 0;  // element of the first value
  // From 1 on, and above the step of every publish of this process to the topic before it, else
  // kInvalid and nothing is sent: one step is one publish, and threads that publish to one topic
  // must keep the order among them. Whatever is not above the last step that was merged under the
  // client's name, by an earlier process, is kDuplicate, also where it was left out. With several
  // shards each remembers the steps of publishes that touch it.
  std::optional<std::uint64_t> step = {};
  Duration deadline = Duration::seconds(10);  // how long to wait for room, then Code::kFull
  // How long the update is worth sending first, up to 100 days; zero, or longer: the topic's.
  Duration update_deadline = Duration::zero();
};

// How far a publish has come.
enum class Level : std::uint8_t {
  kAccepted,  // the client library keeps it and will resend it
  kSafe,      // merged by the gateway; survives kill -9 of both processes
  kApplied,   // applied at a site, within the topic's tolerance
  kStable,    // applied at every site that holds the topic
};

enum class Outcome : std::uint8_t {
  kReached,
  kTimeout,    // not within the deadline; it goes on
  kDuplicate,  // its step is not above the last one merged before; nothing was added
  kRefused,    // the gateway refused it; see Ticket::detail()
  kUnknown,    // merged or not, the gateway could not tell after a lost connection; see detail()
  kExpired,    // too old: the client remembers the last 4,096 finished publishes of a topic
  kClosed,     // the client was closed, or this is a forked child
};
std::string_view to_string(Outcome outcome);

// One publish.
class Ticket {
 public:
  Ticket() = default;

  // Waits until the publish has reached `level`. For kApplied `site` names the site; empty means
  // any one other site. A site that does not hold the topic is not reached: kTimeout.
  Outcome wait(Level level, Duration deadline, std::string_view site = {}) const;

  // Why it was refused: element, value, reason. Empty otherwise.
  std::string detail() const;
  std::uint64_t number() const { return number_; }

 private:
  friend class Topic;
  Ticket(client::Runtime* runtime, std::uint32_t topic, std::uint64_t number)
      : runtime_(runtime), topic_(topic), number_(number) {}

  client::Runtime* runtime_ = nullptr;
  std::uint32_t topic_ = 0;
  std::uint64_t number_ = 0;
};

// Changes of neighbouring elements, to be added. Valid during the callback.
struct View {
  std::uint64_t first = 0;                    // element of deltas[0]
  std::span<const std::int64_t> deltas = {};  // in quanta of 2^-fraction_bits
  std::uint32_t fraction_bits = 40;

  // Adds the deltas to the whole topic's values; elements beyond values.size() are left out.
  void add_to(std::span<float> values, float scale = 1.0F) const;
};
using ViewCallback = std::function<void(const View&)>;

struct SubscribeOptions {
  // Called on the background thread for each change as it arrives, without a copy. Without it
  // changes add up in the client until poll() fetches them.
  ViewCallback on_change = {};
  // Called when the gateway lost its state: everything that is left will be delivered again from
  // zero, so whoever adds changes must return to the seed first. Runs before the first repeated
  // change: in poll(), which says so besides, or before a callback. What this client published
  // before that poll, or before on_restart returned, is delivered as well, as far as it is not
  // lost; what it publishes later is not. Who publishes from another thread waits meanwhile.
  std::function<void()> on_restart = {};
  // Keep the sum of everything received; see Topic::copy_sum().
  bool keep_sum = false;
};

struct PollOutcome {
  std::uint64_t elements = 0;  // handed out, a count
  // The sums start again from zero, this client's own publishes before this poll among them:
  // return to the seed. The next poll hands out the first of them.
  bool restarted = false;
  // The gateway does not take the topic any more; publish() and declare() say why. It is tried
  // again on each connection. Or it has no place or no room for the subscription, which is asked
  // for again each second; ClientStats::last_error says why. When it begins at last `restarted`
  // says so if this client has published meanwhile: that is delivered, too.
  bool refused = false;
};

struct ClockOutcome {
  enum class Kind : std::uint8_t {
    kOk,       // every site's clock is reached and its changes were delivered
    kPartial,  // the deadline passed; `missing` names who is behind
    kTimeout,  // the gateway itself did not answer in time
    kRefused,  // it does not take the topic or the subscription, as in PollOutcome
    kClosed,   // the client was closed, or this is a forked child
  };
  Kind kind = Kind::kTimeout;
  std::vector<std::string> missing = {};
};

// A topic of this client.
class Topic {
 public:
  Topic() = default;

  // Publishes changes to [first, first + values.size()). Values are copied. Waits for room at most
  // options.deadline: Code::kFull. A value that is not finite or out of the topic's range of
  // 2^(62 - fraction_bits) / max(3, sites) makes the ticket kRefused, and nothing is changed.
  Result<Ticket> publish(std::span<const float> values, const PublishOptions& options = {});
  // The same in quanta.
  Result<Ticket> publish_fixed(std::span<const std::int64_t> values,
                               const PublishOptions& options = {});

  // Starts to receive all changes of the other publishers, here and elsewhere, from the seed on,
  // and with them what this client itself published before. Once per topic.
  Result<void> subscribe(const SubscribeOptions& options = {});

  // Hands out and forgets what has added up, in rising order of elements, on the calling thread.
  // Waits at most `deadline` for the first change. One poll() of a topic at a time. Without a
  // callback it does nothing; after one that throws, what it was not given is lost.
  PollOutcome poll(const ViewCallback& callback, Duration deadline = Duration::zero());

  // Copies the sum of everything received from element `first` on (SubscribeOptions::keep_sum).
  Result<void> copy_sum(std::uint64_t first, std::span<std::int64_t> out) const;

  // Says that iteration `clock` is finished; publishes before it belong to it. Clocks only rise, up
  // to 2^48: kInvalid. Of a topic that is refused: why.
  Result<void> tick(std::uint64_t clock);

  // Waits until every site has finished `clock` and its changes were delivered here. The gateway
  // says who is missing some milliseconds before the deadline, so that the answer is here by then.
  ClockOutcome wait_clock(std::uint64_t clock, Duration deadline);

  const std::string& name() const { return name_; }
  std::uint64_t element_count() const { return element_count_; }
  // What the topic can take at the gateway at most, whatever the outage.
  std::uint64_t memory_bound() const { return memory_bound_; }

 private:
  friend class Client;
  client::Runtime* runtime_ = nullptr;
  std::uint32_t index_ = 0;
  std::string name_;
  std::uint64_t element_count_ = 0;
  std::uint64_t memory_bound_ = 0;
};

// Counts since connect(), over all workers of the gateway. Of a topic with several shards the
// outcomes of publishes are counted by shard.
struct ClientStats {
  bool connected = false;         // to every worker
  std::uint64_t connections = 0;  // the first ones and every re-connection
  std::uint64_t publishes = 0;
  std::uint64_t publishes_safe = 0;
  std::uint64_t publishes_resent = 0;  // sent again on a new connection
  std::uint64_t publishes_refused = 0;
  std::uint64_t publishes_duplicate = 0;
  std::uint64_t unsafe_bytes = 0;  // now
  std::uint64_t transfers_applied = 0;
  std::uint64_t transfers_skipped = 0;  // repeated by the gateway, already applied
  // Why the last connection ended, or for what the gateway had no room; the newest.
  std::string last_error = {};
};

class Client {
 public:
  // Connects to the gateway of this host.
  static Result<Client> connect(const ClientOptions& options);
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  // Opens a topic and waits at most `deadline` for the gateway's answer. What is wrong in the
  // options is kInvalid before anything is sent, and so is what differs from the options of the
  // same topic while it is open. A topic that the gateway has refused is tried again; its
  // subscription, if it had one and its shape is the same, goes on.
  Result<Topic> declare(const TopicOptions& options, Duration deadline = Duration::seconds(10));

  ClientStats stats() const;
  std::string site() const;                // the gateway's site
  std::vector<std::string> sites() const;  // all sites

  // Waits at most `deadline` until every publish is safe, then ends the connection and joins the
  // thread. False when something was left unsafe. The destructor closes without waiting.
  bool close(Duration deadline);

 private:
  explicit Client(std::unique_ptr<client::Runtime> runtime);
  std::unique_ptr<client::Runtime> runtime_;
};

}  // namespace godwit
