#include <algorithm>
#include <list>
#include <mutex>
#include <set>

#include "dataplane/base/assert.h"
#include "dataplane/port/dpdk/card.h"

namespace godwit::port {
namespace {

struct Lent {
  std::unique_ptr<Card> card;
  std::set<std::uint16_t> queues;  // those that have an owner
};

// DPDK's devices belong to the process, and so does the list of those in use.
struct Cards {
  std::mutex mutex;
  std::list<Lent> lent;
};

Cards& cards() {
  static Cards all;
  return all;
}

}  // namespace

Result<CardShare> CardShare::take(const CardOptions& options, std::uint16_t queue) {
  if (queue >= options.queues) {
    return fail(Code::kInvalid,
                "{}: there is no queue pair {} of {}",
                options.device.text,
                queue,
                options.queues);
  }
  Cards& all = cards();
  const std::lock_guard lock(all.mutex);
  auto at = std::find_if(all.lent.begin(), all.lent.end(), [&](const Lent& lent) {
    return lent.card->options().device.name == options.device.name;
  });
  if (at == all.lent.end()) {
    auto card = Card::start(options);
    if (!card) {
      return Failure(card.error());
    }
    at = all.lent.insert(all.lent.end(), Lent{std::move(*card), {}});
  } else if (!(at->card->options() == options)) {
    return fail(Code::kInvalid,
                "{}: was started with {} queue pairs, an MTU of {} and UDP ports from {}; all its "
                "queues share these",
                options.device.text,
                at->card->options().queues,
                at->card->options().mtu,
                at->card->options().udp_port_first);
  }
  if (!at->queues.insert(queue).second) {
    return fail(Code::kInvalid, "{}: queue pair {} has an owner", options.device.text, queue);
  }
  return CardShare(*at->card, queue);
}

CardShare::~CardShare() {
  if (card_ == nullptr) {
    return;
  }
  Cards& all = cards();
  const std::lock_guard lock(all.mutex);
  const auto at = std::find_if(
      all.lent.begin(), all.lent.end(), [&](const Lent& lent) { return lent.card.get() == card_; });
  GODWIT_ASSERT(at != all.lent.end(), "a card outlives its shares");
  at->queues.erase(queue_);
  if (at->queues.empty()) {
    all.lent.erase(at);
  }
}

}  // namespace godwit::port
