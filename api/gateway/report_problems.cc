// What an operator should act on, as a status lists it: the reason, a sentence, the next command.

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "api/gateway/report.h"
#include "api/local/server.h"
#include "dataplane/base/system_time.h"

namespace godwit::gateway {
namespace {

// Certificates that end within this are reported (chosen: time to issue new ones by hand).
constexpr std::int64_t kExpiryWarningSeconds = 14 * 86400;
// Problems of topics that a status lists one by one, of a kind. Chosen: a screen.
constexpr std::size_t kListed = 32;

void add_problem(admin::StatusReport& out,
                 admin::Problem::Severity severity,
                 std::string_view reason,
                 std::string_view subject,
                 std::string text,
                 std::string command,
                 std::uint64_t since_ns) {
  auto* problem = out.add_problems();
  problem->set_severity(severity);
  problem->set_reason(std::string(reason));
  problem->set_subject(std::string(subject));
  problem->set_text(std::move(text));
  problem->set_command(std::move(command));
  problem->set_since_ns(since_ns);
}

// The first of many topics' problems one by one, the others by their number.
class ProblemList {
 public:
  ProblemList(admin::StatusReport& out,
              std::string_view reason_of_rest,
              std::string_view site,
              std::string_view what)
      : out_(out), reason_of_rest_(reason_of_rest), site_(site), what_(what) {}

  void add(std::string_view topic,
           std::string_view reason,
           std::string text,
           std::string command,
           std::uint64_t since_ns) {
    if (++count_ <= kListed) {
      add_problem(out_,
                  admin::Problem::SEVERITY_FAILURE,
                  reason,
                  topic,
                  std::move(text),
                  std::move(command),
                  since_ns);
    }
  }
  void finish() {
    if (count_ > kListed) {
      add_problem(out_,
                  admin::Problem::SEVERITY_FAILURE,
                  reason_of_rest_,
                  site_,
                  fmt::format("{} more {}", count_ - kListed, what_),
                  "godwit topic",
                  0);
    }
  }

 private:
  admin::StatusReport& out_;
  std::string_view reason_of_rest_;
  std::string_view site_;
  std::string_view what_;
  std::size_t count_ = 0;
};

}  // namespace

std::string Reporter::barred_text(std::string_view site) {
  return fmt::format(
      "{} may hold it no longer; nothing goes there, and what was sent before stays: restore the "
      "policy, or remove the topic's files at {}",
      site,
      site);
}

void Reporter::add_problems(Instant now, admin::StatusReport& out) {
  Core& core = gateway_.core();
  if (out.defect() != 0) {
    add_problem(out,
                admin::Problem::SEVERITY_FAILURE,
                "ledger.defect",
                core.config.site,
                "sums and their checksums disagree; keep the state directory and report it",
                "godwit ledger",
                0);
  }
  if (core.store.is_low()) {
    add_problem(
        out,
        admin::Problem::SEVERITY_FAILURE,
        "storage.full",
        core.config.site,
        fmt::format(
            "{} has {} bytes left: publishes and changes of peers that need more wait until "
            "there is room",
            core.config.state_dir,
            core.store.free_bytes().value_or(0)),
        fmt::format("df {}", core.config.state_dir),
        0);
  }
  if (gateway_.client_count() >= local::ServerOptions{}.clients_max) {
    add_problem(out,
                admin::Problem::SEVERITY_FAILURE,
                "client.limit",
                core.config.site,
                fmt::format("{} clients are connected, and further ones are turned away",
                            gateway_.client_count()),
                "ss -xp",
                0);
  }
  add_port_problems(out);
  add_link_problems(now, out);
  add_barred(now, out);
  add_overdue(now, out);
  add_refusals(now, out);
  add_client_refusals(now, out);
}

void Reporter::add_link_problems(Instant now, admin::StatusReport& out) {
  const Core& core = gateway_.core();
  for (const auto& one : core.peers) {
    if (one->state == PeerState::kUp) {
      continue;
    }
    const bool refused = link_state(*one) == admin::LinkReport::STATE_REFUSED;
    add_problem(
        out,
        admin::Problem::SEVERITY_FAILURE,
        refused ? "link.refused" : "link.down",
        one->label(),
        one->last_error.empty()
            ? fmt::format("no session with {} yet", one->site().name)
            : fmt::format("{} (attempts that failed: {})", one->last_error, one->failed_attempts()),
        fmt::format("godwit peer {}", one->site().name),
        since(now, one->state_since));
  }
  for (const auto& one : core.peers) {
    const std::int64_t left = one->identity.valid_until - system_unix_seconds();
    if (one->state == PeerState::kUp && left < kExpiryWarningSeconds) {
      add_problem(
          out,
          admin::Problem::SEVERITY_WARNING,
          "tls.expires",
          one->site().name,
          fmt::format("the certificate of {}, or the authority that issued it, ends in {} hours",
                      one->site().name,
                      left / 3600),
          fmt::format("godwit cert issue {}", one->site().name),
          0);
    }
  }
  for (const auto& one : core.peers) {
    if (one->state != PeerState::kUp || one->renewal.count() == 0) {
      continue;
    }
    add_problem(
        out,
        admin::Problem::SEVERITY_WARNING,
        "link.not_renewed",
        one->site().name,
        fmt::format("the link lives on its former session; a newer one fails: {} (attempts: {})",
                    one->renewal.text,
                    one->renewal.count()),
        fmt::format("godwit peer {}", one->site().name),
        since(now, one->renewal.since));
  }
  for (const auto& one : core.peers) {
    if (one->state != PeerState::kUp || !one->detour) {
      continue;
    }
    add_problem(
        out,
        admin::Problem::SEVERITY_WARNING,
        "link.backup",
        one->label(),
        fmt::format("the link is on path {}; the first one, from {} to {}, {} (attempts: {})",
                    one->path_text(one->path),
                    one->own_endpoint(0),
                    one->peer_endpoint(0),
                    one->dials() ? one->detour->text.empty() ? "is tried from time to time"
                                                             : "fails: " + one->detour->text
                                 : "is tried by the other end",
                    one->detour->attempts),
        fmt::format("godwit link {}", one->site().name),
        since(now, one->detour->since));
  }
  if (gateway_.links().strangers_refused() > 0) {
    add_problem(out,
                admin::Problem::SEVERITY_WARNING,
                "link.stranger",
                core.config.site,
                fmt::format("{} connections were refused, the last: {}",
                            gateway_.links().strangers_refused(),
                            gateway_.links().last_stranger()),
                "godwit peer",
                0);
  }
}

// A site that may not hold a topic any more, and was sent some of it.
void Reporter::add_barred(Instant now, admin::StatusReport& out) {
  const Core& core = gateway_.core();
  for (const auto& [id, topic] : core.topics) {
    for (const std::string& site : topic->barred_sites()) {
      if (!topic->barred_lane(site)) {
        continue;
      }
      add_problem(out,
                  admin::Problem::SEVERITY_WARNING,
                  "topic.residency",
                  topic->spec().name,
                  barred_text(site),
                  fmt::format("godwit explain {}", topic->spec().name),
                  since(now, started_));
    }
  }
}

// What a peer receives and does not take.
void Reporter::add_overdue(Instant now, admin::StatusReport& out) {
  const Core& core = gateway_.core();
  ProblemList list(out, "lane.overdue", core.config.site, "lanes wait for receipts");
  for (const auto& peer : core.peers) {
    for (const auto& [id, topic] : core.topics) {
      const PeerLanes* lanes = lanes_between(*topic, *peer);
      if (lanes != nullptr && is_overdue(now, *topic, *peer, *lanes)) {
        const std::string& name = topic->spec().name;
        list.add(name,
                 "lane.overdue",
                 overdue_text(now, *topic, *peer, *lanes),
                 fmt::format("godwit explain {}", name),
                 static_cast<std::uint64_t>(unreceipted_for(now, *topic, *lanes).count_ns()));
      }
    }
  }
  list.finish();
}

// What one end does not take does not move, though the other's rules would have it there.
void Reporter::add_refusals(Instant now, admin::StatusReport& out) {
  const Core& core = gateway_.core();
  ProblemList list(out, "topic.refused", core.config.site, "topics are refused");
  for (const auto& [id, topic] : core.topics) {
    for (const auto& [site, lanes] : topic->peers()) {
      const SiteConfig* peer = core.config.find_site(site);
      if (lanes.refusal && peer != nullptr) {
        const std::string& name = topic->spec().name;
        list.add(name,
                 lanes.refusal->reason,
                 fmt::format("{} refuses it: {}", peer->name, lanes.refusal->text),
                 fmt::format("godwit explain {}", name),
                 since(now, lanes.refusal->since));
      }
    }
  }
  for (const auto& peer : core.peers) {
    for (const auto& [id, topic] : peer->refused_topics) {
      // What is not declared here cannot be explained.
      list.add(topic.name,
               topic.refusal.reason,
               fmt::format("refused here to {}: {}", peer->site().name, topic.refusal.text),
               core.topics.contains(id) ? fmt::format("godwit explain {}", topic.name)
                                        : fmt::format("godwit config check {}", core.config.file),
               since(now, topic.refusal.since));
    }
  }
  list.finish();
}

void Reporter::add_client_refusals(Instant now, admin::StatusReport& out) {
  ProblemList list(out,
                   "client.refused",
                   gateway_.core().config.site,
                   "topics or subscriptions of clients are refused");
  gateway_.list_client_refusals([&](const std::string& topic, const Refusal& refusal) {
    list.add(topic, refusal.reason, refusal.text, "godwit topic", since(now, refusal.since));
  });
  list.finish();
}

}  // namespace godwit::gateway
