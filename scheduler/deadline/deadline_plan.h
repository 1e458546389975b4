// How deep each round goes by its deadline: layers of all rounds by what they are worth per byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/units.h"

namespace godwit::scheduler {

// One piece of a progressive code, in the order in which it is sent.
struct Layer {
  Bytes bytes;
  // What a receiver gains by it, in the caller's unit; below 0 or not finite counts as 0.
  double value = 0;
};

// The best that can be made of what all rounds have left, at a rate that stays as it is: a set of
// layers, cut anywhere, with the greatest value of all that are there by their deadlines. What may
// be sent by deadlines is a polymatroid, so taking layers by value per byte as far as every later
// deadline allows is optimal (Edmonds 1970; Federgruen and Groenevelt 1986), and the earliest
// deadline first delivers them.
//
// What a layer of a round is worth per byte should not rise from one to the next; where it does,
// the two count as one.
//
// Thread: one worker. Memory: 1 KiB a round, allocated by the constructor. Time: `plan` is
// O(l log l) for l layers, all else O(rounds) or O(layers of the round).
class DeadlinePlan {
 public:
  using Id = std::uint32_t;
  static constexpr std::size_t kLayersMax = 32;

  explicit DeadlinePlan(std::size_t rounds_most);

  // nullopt when there is no place for one more. Of layers beyond kLayersMax the rest is not
  // planned.
  std::optional<Id> add(Instant deadline, double weight, std::span<const Layer> layers);
  void remove(Id id);
  // So much of the round's next layers is on the way.
  void on_sent(Id id, Bytes bytes);

  // The rate changed by more than a twentieth, a round came or went, or 50 ms passed: then a new
  // plan is due.
  [[nodiscard]] bool is_due(Instant now, BitRate rate) const;
  // `reserved`: bytes that go before all of this.
  void plan(Instant now, BitRate rate, Bytes reserved);

  struct Grant {
    Id id = 0;
    Bytes bytes;  // Of the round's next layers, by the plan.
    Instant deadline;
  };
  // The round with the earliest deadline that has anything granted; those whose deadline has passed
  // have not.
  [[nodiscard]] std::optional<Grant> next(Instant now) const;
  // What the plan grants to one round, besides what was sent.
  [[nodiscard]] Bytes granted(Id id) const { return Bytes(rounds_[id].granted); }
  [[nodiscard]] std::size_t size() const { return by_deadline_.size(); }

 private:
  struct Piece {
    std::uint64_t bytes = 0;
    double worth = 0;  // Of a byte.
  };
  struct Round {
    Instant deadline;
    std::array<Piece, kLayersMax> pieces;
    std::size_t first = 0;  // Of those that are not sent.
    std::size_t count = 0;
    std::uint64_t granted = 0;
    bool is_used = false;
  };
  struct Offer {
    double worth = 0;
    std::uint32_t rank = 0;  // Of the round, by deadline.
    std::uint32_t piece = 0;
  };

  // What every deadline has left, as layers are taken in any order: a segment tree by deadline.
  class Slack {
   public:
    explicit Slack(std::size_t most);
    void begin(std::size_t count);
    void set(std::size_t rank, std::int64_t capacity);
    void build();
    // As much of `wanted` as every deadline from `rank` on allows.
    std::uint64_t take(std::size_t rank, std::uint64_t wanted);

   private:
    struct Node {
      std::int64_t taken = 0;  // In this subtree.
      std::int64_t least = 0;  // Of capacity less what is taken up to it, within this subtree.
    };
    void join(std::size_t node);
    std::size_t leaves_ = 1;
    std::vector<Node> nodes_;
  };

  std::vector<Round> rounds_;
  std::vector<Id> free_;
  std::vector<Id> by_deadline_;
  std::vector<Offer> offers_;
  Slack slack_;
  bool has_changed_ = true;
  Instant planned_at_;
  BitRate planned_for_;
};

}  // namespace godwit::scheduler
