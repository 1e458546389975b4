// Turns the cells of all workers into Prometheus' families, every catalogued one, at each scrape.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "monitoring/cells.h"

namespace prometheus {
class Collectable;
}

namespace godwit::monitoring {

// What is exported beside the cells: identity that never changes.
struct Identity {
  std::string site;     // Label `site` of every sample.
  std::string version;  // Labels of godwit_build_info.
  std::string revision;
};

// Usage: one per process; `collectable()` goes to an HttpEndpoint, `text()` to the command line.
// The cells must outlive it, their number is fixed at construction.
// Thread: any number of readers. Memory: the families of one scrape. Time: O(series) per scrape.
class Collector {
 public:
  Collector(Identity identity, std::vector<const Cells*> workers);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // The exposition in Prometheus' text format 0.0.4.
  [[nodiscard]] std::string text() const;
  // Shared because the HTTP library asks for a weak_ptr.
  [[nodiscard]] const std::shared_ptr<prometheus::Collectable>& collectable() const {
    return collectable_;
  }

 private:
  std::shared_ptr<prometheus::Collectable> collectable_;
};

}  // namespace godwit::monitoring
