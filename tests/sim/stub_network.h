// Sessions without packets: messages under way between endpoints, with all that may befall
// them.
//
//   StubSession ──send──▶ queue by (arrival, number) ──advance──▶ StubSession of the peer
//                             │ cut: held until healed    │ replay: old transfers come again
//
// Control messages of a conversation keep their order and overtake transfers; transfers overtake
// one another. Nothing is lost while a conversation lives; when it ends everything under way is.
//
// Thread: one. Time: virtual; `now` never goes back.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "dataplane/base/random.h"
#include "tests/sim/trace.h"
#include "tests/sim/wide_area.h"

namespace godwit::sim {

class StubEndpoint;
class StubSession;

enum class MessageKind : std::uint8_t {
  kOpen,    // the dialler's greeting
  kOpened,  // the acceptor's answer
  kControl,
  kTransfer,
  kClose,
  kSilence,      // not sent by anybody: this end has heard nothing for too long
  kDialTimeout,  // not sent by anybody: no answer came in time
  kReplay,       // a transfer of an earlier time, in whatever conversation is up
};

struct Message {
  Instant at;
  std::uint64_t number = 0;  // order of sending; decides between equal instants
  std::uint64_t conversation = 0;
  std::size_t from = 0;
  std::size_t to = 0;
  MessageKind kind = MessageKind::kControl;
  bool always = false;  // kSilence: also when the link is not cut
  std::vector<std::byte> bytes;
  std::uint64_t code = 0;  // kClose
  Instant sent;            // by its sender; zero: come again by the network's doing
};

class StubNetwork final : public WideArea {
 public:
  // Sees every transfer that is delivered, and may change it: sent, from, to, bytes.
  using Watcher = std::function<void(Instant, std::size_t, std::size_t, std::span<std::byte>)>;

  StubNetwork(const Scenario& scenario, std::uint64_t seed, Trace& trace, Watcher watcher);
  ~StubNetwork() override;

  std::unique_ptr<transport::Endpoint> open(std::size_t site) override;
  void on_crash(Instant now, std::size_t site) override;
  Instant next_event() const override;
  void advance(Instant now, std::vector<bool>& woken) override;
  void cut(Instant now, std::size_t from, std::size_t to) override;
  void heal(Instant now, std::size_t from, std::size_t to) override;
  void break_session(Instant now, std::size_t a, std::size_t b) override;
  void set_rate(Instant now, std::size_t from, std::size_t to, BitRate rate) override;
  std::uint64_t messages() const override { return next_number_; }

  // For endpoints and sessions.
  std::uint64_t begin_conversation(Instant now, std::size_t dialler, std::size_t acceptor);
  void send(Instant now,
            std::uint64_t conversation,
            std::size_t from,
            MessageKind kind,
            std::span<const std::byte> bytes,
            std::uint64_t code = 0);
  void join(std::uint64_t conversation, std::size_t site, StubSession* session);
  // The end at `site` is gone: nothing more reaches it.
  void leave(std::uint64_t conversation, std::size_t site);
  void detach(std::size_t site) { endpoints_[site] = nullptr; }
  // When the link has sent all but about one quantum of what it was given.
  Instant room_at(std::size_t from, std::size_t to) const;
  Duration round_trip(std::size_t a, std::size_t b) const;
  BitRate rate(std::size_t from, std::size_t to) const { return link(from, to).draw.rate; }
  const std::string& site_name(std::size_t site) const { return scenario_.sites[site]; }
  std::size_t site_index(std::string_view name) const;

 private:
  struct Conversation {
    std::size_t sites[2] = {0, 0};  // dialler, acceptor
    StubSession* ends[2] = {nullptr, nullptr};
    Instant last_control[2];  // arrival at that end
  };
  struct Link {
    LinkDraw draw;
    Instant busy_until;
    bool cut = false;
    std::uint64_t cuts = 0;
    std::vector<Message> held;
    std::deque<std::vector<std::byte>> old;  // transfers that may come again
  };

  Link& link(std::size_t from, std::size_t to) {
    return links_[from * scenario_.site_count() + to];
  }
  const Link& link(std::size_t from, std::size_t to) const {
    return links_[from * scenario_.site_count() + to];
  }
  void push(Message message);
  Message pop();
  void deliver(Instant now, Message message, std::vector<bool>& woken);
  void deliver_open(Instant now, const Message& message, std::vector<bool>& woken);
  void replay(Instant now, Link& link, const Message& original);
  void silence(Instant now, const Message& message, std::vector<bool>& woken);
  void schedule_silence(Instant at, std::uint64_t id, std::size_t site, bool always);

  const Scenario& scenario_;
  Random random_;
  Trace& trace_;
  Watcher watcher_;
  std::vector<StubEndpoint*> endpoints_;
  std::vector<Link> links_;
  std::map<std::uint64_t, Conversation> conversations_;
  std::vector<Message> queue_;  // a heap by (at, number)
  std::uint64_t next_number_ = 1;
  std::uint64_t next_conversation_ = 1;
};

}  // namespace godwit::sim
