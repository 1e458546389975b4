// What lies between the sites, whatever the level: gateways get endpoints from it, faults act on
// it.
//
// Thread: one. Memory: endpoints must die before it. Time: virtual.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "dataplane/transport/endpoint.h"
#include "tests/sim/scenario.h"

namespace godwit::sim {

class WideArea {
 public:
  virtual ~WideArea() = default;

  // The endpoint of a process that starts at the site; one at a time for each site.
  virtual std::unique_ptr<transport::Endpoint> open(std::size_t site) = 0;
  // The site's process is dead and its endpoint gone; nothing was said to anybody.
  virtual void on_crash(Instant now, std::size_t site) = 0;

  // When something next arrives or ends; never() when nothing is under way.
  virtual Instant next_event() const = 0;
  // Does what is due and sets the flag of every site that must have a turn.
  virtual void advance(Instant now, std::vector<bool>& woken) = 0;

  // Nothing passes in this direction from now on; what is under way arrives when it is healed, if
  // the session still lives then.
  virtual void cut(Instant now, std::size_t from, std::size_t to) = 0;
  virtual void heal(Instant now, std::size_t from, std::size_t to) = 0;
  // Ends the session between two sites, if there is one: what is under way is lost.
  virtual void break_session(Instant now, std::size_t a, std::size_t b) = 0;
  virtual void set_rate(Instant now, std::size_t from, std::size_t to, BitRate rate) = 0;
  virtual std::uint64_t messages() const = 0;
};

}  // namespace godwit::sim
