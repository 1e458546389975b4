#include "bench/wan/control.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "bench/wan/quantities.h"

namespace godwit::wan {

namespace {

using Json = nlohmann::ordered_json;

double milliseconds(Duration d) {
  return static_cast<double>(d.count_ns()) / 1e6;
}

Json rate_json(BitRate rate) {
  return rate.is_unlimited() ? Json(nullptr)
                             : Json(static_cast<double>(rate.bits_per_second()) / 1e6);
}

Json quantiles_json(const LatenessHistogram& times) {
  return {{"p50", milliseconds(times.quantile(0.5))},
          {"p95", milliseconds(times.quantile(0.95))},
          {"p99", milliseconds(times.quantile(0.99))},
          {"p999", milliseconds(times.quantile(0.999))},
          {"max", milliseconds(times.max())}};
}

// Refuses members of `request` that the operation does not know.
Result<bool> only(const Json& request, std::initializer_list<std::string_view> allowed) {
  for (const auto& member : request.items()) {
    if (member.key() == "op" ||
        std::find(allowed.begin(), allowed.end(), member.key()) != allowed.end()) {
      continue;
    }
    return fail(Code::kInvalid,
                "unknown member '{}'; allowed: op{}{}",
                member.key().substr(0, 32),
                allowed.size() == 0 ? "" : ", ",
                fmt::join(allowed, ", "));
  }
  return true;
}

Result<bool> flag(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end()) {
    return false;
  }
  if (!found->is_boolean()) {
    return fail(Code::kInvalid, "'{}' must be true or false", key);
  }
  return found->get<bool>();
}

Result<std::string> text(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_string()) {
    return fail(Code::kInvalid, "'{}' must be given, as a string", key);
  }
  return found->get<std::string>();
}

// The number under `key`, checked by `check`; nothing if the key is absent.
template <class T>
Result<std::optional<T>> number(const Json& request, const char* key, Result<T> (*check)(double)) {
  const auto found = request.find(key);
  if (found == request.end()) {
    return std::optional<T>();
  }
  if (!found->is_number()) {
    return fail(Code::kInvalid, "'{}' must be a number", key);
  }
  auto checked = check(found->get<double>());
  if (!checked) {
    return tl::unexpected(checked.error());
  }
  return std::optional<T>(*checked);
}

// What a "set" changes; the rest of a link stays.
struct Change {
  std::optional<BitRate> rate;
  std::optional<Duration> delay;
  std::optional<double> loss;
  std::optional<Bytes> queue;

  // A queue that nobody set follows the rate and the delay, as it does in a preset.
  LinkSettings apply(const LinkSettings& before) const {
    LinkSettings after = before;
    after.rate = rate.value_or(before.rate);
    after.delay = delay.value_or(before.delay);
    after.loss = loss.value_or(before.loss);
    const bool follows = before.queue == default_queue(before.rate, before.delay);
    after.queue = queue.value_or(follows ? default_queue(after.rate, after.delay) : before.queue);
    return after;
  }
};

Result<Change> parse_change(const Json& request) {
  Change change;
  const auto rate = request.find("rate_mbit");
  if (rate != request.end() && rate->is_null()) {
    change.rate = BitRate::unlimited();
  } else if (auto value = number<BitRate>(request, "rate_mbit", check_rate_mbit)) {
    change.rate = *value;
  } else {
    return tl::unexpected(value.error());
  }
  auto delay = number<Duration>(request, "delay_ms", check_delay_ms);
  auto loss = number<double>(request, "loss", check_loss);
  auto queue = number<Bytes>(request, "queue_bytes", check_queue_bytes);
  if (!delay || !loss || !queue) {
    return tl::unexpected(!delay ? delay.error() : !loss ? loss.error() : queue.error());
  }
  change.delay = *delay;
  change.loss = *loss;
  change.queue = *queue;
  if (!change.rate && !change.delay && !change.loss && !change.queue) {
    return fail(Code::kInvalid, "nothing to set; allowed: rate_mbit, delay_ms, loss, queue_bytes");
  }
  return change;
}

Json lines_json(const Plan& plan, const std::vector<std::optional<Line>>& lines) {
  Json list = Json::array();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i]) {
      list.push_back({{"site", plan.sites[i]},
                      {"rate_mbit", rate_json(lines[i]->rate)},
                      {"queue_bytes", lines[i]->queue.count()}});
    }
  }
  return list;
}

}  // namespace

Control::Control(Network& network,
                 PlanRequest request,
                 Json ready,
                 std::function<TapFigures(std::size_t)> tap_figures,
                 Instant now)
    : network_(network),
      request_(std::move(request)),
      ready_(std::move(ready)),
      tap_figures_(std::move(tap_figures)) {
  reset(now);
}

std::string Control::answer(Instant now, std::string_view line) {
  Result<Json> result = fail(Code::kInvalid, "the request must be one JSON object with an \"op\"");
  if (line.size() > kRequestBytesMax) {
    result = fail(
        Code::kInvalid, "the request has {} bytes; allowed: {}", line.size(), kRequestBytesMax);
  } else if (const Json request = Json::parse(line, nullptr, false); request.is_object()) {
    result = dispatch(now, request);
  }
  Json reply;
  reply["ok"] = result.has_value();
  if (result) {
    reply.update(*result);
  } else {
    reply["error"] = result.error().message;
  }
  // An error may quote bytes of the request that are not UTF-8.
  return reply.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> Control::dispatch(Instant now, const Json& request) {
  const auto op = text(request, "op");
  if (!op) {
    return tl::unexpected(op.error());
  }
  if (*op == "set") {
    return set(now, request);
  }
  if (*op == "preset") {
    return preset(now, request);
  }
  if (*op == "cut" || *op == "heal") {
    const auto known = only(request, {"from", "to", "one_way"});
    const auto chosen = pairs(request);
    if (!known || !chosen) {
      return tl::unexpected(!known ? known.error() : chosen.error());
    }
    for (const auto& [from, to] : *chosen) {
      *op == "cut" ? network_.cut(from, to) : network_.heal(from, to);
    }
    return Json::object({{"changed", chosen->size()}});
  }
  const bool plain = *op == "sites" || *op == "stats" || *op == "links" || *op == "reset";
  if (!plain) {
    return fail(Code::kInvalid,
                "unknown op '{}'; allowed: sites, stats, links, reset, cut, heal, set, preset",
                op->substr(0, 32));
  }
  if (const auto known = only(request, {}); !known) {
    return tl::unexpected(known.error());
  }
  if (*op == "reset") {
    reset(now);
    return Json::object();
  }
  return *op == "sites" ? ready_ : *op == "stats" ? stats(now) : links();
}

Result<std::size_t> Control::site(const Json& request, const char* key) const {
  const auto name = text(request, key);
  if (!name) {
    return tl::unexpected(name.error());
  }
  const auto& sites = network_.plan().sites;
  const auto found = std::find(sites.begin(), sites.end(), *name);
  if (found == sites.end()) {
    return fail(Code::kNotFound,
                "no site '{}'; there are: {}",
                name->substr(0, 32),
                fmt::join(sites, ", "));
  }
  return static_cast<std::size_t>(found - sites.begin());
}

// The directed pairs that a request names: from→to and, unless "one_way", to→from; "*" as `to` is
// every other site.
Result<Control::Pairs> Control::pairs(const Json& request) const {
  const auto one_way = flag(request, "one_way");
  const auto from = site(request, "from");
  if (!one_way || !from) {
    return tl::unexpected(!one_way ? one_way.error() : from.error());
  }
  std::vector<std::size_t> others;
  const auto to_member = request.find("to");
  if (to_member != request.end() && *to_member == "*") {
    for (std::size_t i = 0; i < network_.site_count(); ++i) {
      if (i != *from) {
        others.push_back(i);
      }
    }
  } else {
    const auto to = site(request, "to");
    if (!to) {
      return tl::unexpected(to.error());
    }
    if (*to == *from) {
      return fail(Code::kInvalid, "a site has no link to itself; name two sites");
    }
    others.push_back(*to);
  }
  Pairs chosen;
  for (const std::size_t other : others) {
    chosen.emplace_back(*from, other);
    if (!*one_way) {
      chosen.emplace_back(other, *from);
    }
  }
  return chosen;
}

Result<Json> Control::set(Instant now, const Json& request) {
  const auto known =
      only(request, {"from", "to", "one_way", "rate_mbit", "delay_ms", "loss", "queue_bytes"});
  if (!known) {
    return tl::unexpected(known.error());
  }
  const auto chosen = pairs(request);
  const auto change = parse_change(request);
  if (!chosen || !change) {
    return tl::unexpected(!chosen ? chosen.error() : change.error());
  }
  for (const auto& [from, to] : *chosen) {
    network_.change(now, from, to, change->apply(network_.link(from, to).settings()));
  }
  return Json::object({{"changed", chosen->size()}});
}

Result<Json> Control::preset(Instant now, const Json& request) {
  const auto known = only(request, {"name", "unlimited"});
  const auto name = text(request, "name");
  const auto unlimited = flag(request, "unlimited");
  if (!known || !name || !unlimited) {
    return tl::unexpected(!known ? known.error() : !name ? name.error() : unlimited.error());
  }
  PlanRequest wanted = request_;
  wanted.preset = *name;
  wanted.unlimited = *unlimited;
  wanted.names = network_.plan().sites;
  const auto plan = make_plan(wanted);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  network_.reconfigure(*plan);
  ready_["wan"] = plan->preset;
  ready_["unlimited"] = plan->unlimited;
  reset(now);
  return Json::object({{"wan", plan->preset}, {"unlimited", plan->unlimited}});
}

void Control::reset(Instant now) {
  network_.reset_counters();
  reset_at_ = now;
  tap_at_reset_.clear();
  for (std::size_t i = 0; i < network_.site_count(); ++i) {
    tap_at_reset_.push_back(tap_figures_(i));
  }
}

Json Control::stats(Instant now) const {
  const Plan& plan = network_.plan();
  Json pairs = Json::array();
  LatenessHistogram lateness;
  std::uint64_t bytes_total = 0;
  std::uint64_t packets_total = 0;
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    for (std::size_t j = 0; j < plan.sites.size(); ++j) {
      if (i == j) {
        continue;
      }
      const LinkCounters& c = network_.link(i, j).counters();
      pairs.push_back({{"from", plan.sites[i]},
                       {"to", plan.sites[j]},
                       {"bytes", c.bytes},
                       {"packets", c.packets},
                       {"bytes_in", c.bytes_in},
                       {"packets_in", c.packets_in},
                       {"drops_queue", c.drops_queue},
                       {"drops_loss", c.drops_loss},
                       {"drops_cut", c.drops_cut},
                       {"bytes_dropped", c.bytes_dropped},
                       {"queued_packets", c.packets_held},
                       {"queued_bytes", c.bytes_held},
                       {"queueing_ms", quantiles_json(c.queueing)},
                       {"lateness_ms", quantiles_json(c.lateness)}});
      lateness.add(c.lateness);
      bytes_total += c.bytes;
      packets_total += c.packets;
    }
  }
  Json sites = Json::array();
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    const TapFigures tap = tap_figures_(i);
    sites.push_back({{"name", plan.sites[i]},
                     {"tap_drops", tap.drops - tap_at_reset_[i].drops},
                     {"tap_write_errors", tap.write_errors - tap_at_reset_[i].write_errors},
                     {"frames_in", tap.frames_in - tap_at_reset_[i].frames_in},
                     {"frames_out", tap.frames_out - tap_at_reset_[i].frames_out}});
  }
  Json all = quantiles_json(lateness);
  all["count"] = lateness.count();
  return {{"wan", plan.preset},
          {"unlimited", plan.unlimited},
          {"seconds", (now - reset_at_).to_seconds()},
          {"pairs", std::move(pairs)},
          {"lateness_ms", std::move(all)},
          {"bytes_total", bytes_total},
          {"packets_total", packets_total},
          {"sites", std::move(sites)}};
}

Json Control::links() const {
  const Plan& plan = network_.plan();
  Json list = Json::array();
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    for (std::size_t j = 0; j < plan.sites.size(); ++j) {
      if (i == j) {
        continue;
      }
      const Link& link = network_.link(i, j);
      list.push_back({{"from", plan.sites[i]},
                      {"to", plan.sites[j]},
                      {"rate_mbit", rate_json(link.settings().rate)},
                      {"delay_ms", milliseconds(link.settings().delay)},
                      {"loss", link.settings().loss},
                      {"queue_bytes", link.settings().queue.count()},
                      {"cut", link.is_cut()}});
    }
  }
  return {{"wan", plan.preset},
          {"unlimited", plan.unlimited},
          {"links", std::move(list)},
          {"uplinks", lines_json(plan, plan.uplinks)},
          {"downlinks", lines_json(plan, plan.downlinks)}};
}

}  // namespace godwit::wan
