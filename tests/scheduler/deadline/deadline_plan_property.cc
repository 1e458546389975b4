// The plan against a linear program, and what must hold of any plan.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <glpk.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "scheduler/deadline/deadline_plan.h"

namespace godwit::scheduler {
namespace {

struct Asked {
  Instant deadline;
  double weight = 1;
  std::vector<Layer> layers;
};

constexpr Instant kNow = Instant::from_ns(1'000'000'000);

// Layers of falling worth, as a codec's segments are.
Asked drawn_round() {
  Asked round;
  round.deadline = kNow + Duration::ms(*rc::gen::inRange<std::int64_t>(1, 200));
  round.weight = *rc::gen::element(0.5, 1.0, 3.0);
  double worth = *rc::gen::inRange(1, 100);
  for (int count = *rc::gen::inRange(1, 6); count > 0; --count) {
    const auto bytes = *rc::gen::inRange<std::uint64_t>(1, 60'000);
    round.layers.push_back({Bytes(bytes), worth * static_cast<double>(bytes)});
    worth *= *rc::gen::element(0.9, 0.5, 0.2);
  }
  return round;
}

std::vector<Asked> drawn_rounds() {
  std::vector<Asked> rounds;
  for (int count = *rc::gen::inRange(1, 9); count > 0; --count) {
    rounds.push_back(drawn_round());
  }
  return rounds;
}

double value_of(const Asked& round, std::uint64_t bytes) {
  double value = 0;
  for (const Layer& layer : round.layers) {
    const auto part = static_cast<double>(std::min(bytes, layer.bytes.count()));
    value += round.weight * layer.value * part / static_cast<double>(layer.bytes.count());
    bytes -= std::min(bytes, layer.bytes.count());
  }
  return value;
}

// The most that any schedule makes of them at this rate: a variable for each layer, a constraint
// for each deadline.
double best_value(const std::vector<Asked>& rounds, BitRate rate, Bytes reserved) {
  glp_term_out(GLP_OFF);
  glp_prob* const problem = glp_create_prob();
  glp_set_obj_dir(problem, GLP_MAX);
  std::vector<Instant> due;  // by column
  for (const Asked& round : rounds) {
    for (const Layer& layer : round.layers) {
      const int column = glp_add_cols(problem, 1);
      const auto bytes = static_cast<double>(layer.bytes.count());
      glp_set_col_bnds(problem, column, GLP_DB, 0, bytes);
      glp_set_obj_coef(problem, column, round.weight * layer.value / bytes);
      due.push_back(round.deadline);
    }
  }
  for (const Asked& round : rounds) {
    const int row = glp_add_rows(problem, 1);
    const Bytes most = rate.bytes_in(round.deadline - kNow) - reserved;
    glp_set_row_bnds(problem, row, GLP_UP, 0, static_cast<double>(most.count()));
    std::vector<int> columns = {0};
    for (std::size_t column = 0; column < due.size(); ++column) {
      if (due[column] <= round.deadline) {
        columns.push_back(static_cast<int>(column) + 1);
      }
    }
    const std::vector<double> ones(columns.size(), 1.0);
    glp_set_mat_row(
        problem, row, static_cast<int>(columns.size()) - 1, columns.data(), ones.data());
  }
  RC_ASSERT(glp_simplex(problem, nullptr) == 0);
  RC_ASSERT(glp_get_status(problem) == GLP_OPT);
  const double value = glp_get_obj_val(problem);
  glp_delete_prob(problem);
  return value;
}

struct Planned {
  DeadlinePlan plan{16};
  std::vector<DeadlinePlan::Id> ids;
  explicit Planned(const std::vector<Asked>& rounds) {
    for (const Asked& round : rounds) {
      ids.push_back(plan.add(round.deadline, round.weight, round.layers).value());
    }
  }
  double value(const std::vector<Asked>& rounds) const {
    double sum = 0;
    for (std::size_t i = 0; i < rounds.size(); ++i) {
      sum += value_of(rounds[i], plan.granted(ids[i]).count());
    }
    return sum;
  }
};

RC_GTEST_PROP(DeadlinePlan, IsTheOptimumOfTheLinearProgram, ()) {
  const auto rounds = drawn_rounds();
  const BitRate rate = BitRate::mbps(*rc::gen::inRange(1, 40));
  const Bytes reserved(*rc::gen::element<std::uint64_t>(0, 0, 1'000, 100'000));
  Planned planned(rounds);
  planned.plan.plan(kNow, rate, reserved);
  const double best = best_value(rounds, rate, reserved);
  RC_ASSERT(std::fabs(planned.value(rounds) - best) <= 1e-6 * best + 1e-6);
}

RC_GTEST_PROP(DeadlinePlan, CanBeServedTheEarliestFirst, ()) {
  const auto rounds = drawn_rounds();
  const BitRate rate = BitRate::mbps(*rc::gen::inRange(1, 40));
  Planned planned(rounds);
  DeadlinePlan& plan = planned.plan;
  plan.plan(kNow, rate, Bytes(0));
  std::uint64_t granted = 0;
  for (const auto id : planned.ids) {
    granted += plan.granted(id).count();
  }
  std::uint64_t sent = 0;
  while (const auto grant = plan.next(kNow)) {
    sent += grant->bytes.count();
    RC_ASSERT(rate.bytes_in(grant->deadline - kNow).count() >= sent);
    plan.on_sent(grant->id, grant->bytes);
  }
  RC_ASSERT(sent == granted);
}

// More capacity, a later deadline or fewer bytes in front never make a plan worth less.
RC_GTEST_PROP(DeadlinePlan, IsWorthNoLessWithMoreRoom, ()) {
  auto rounds = drawn_rounds();
  const BitRate rate = BitRate::mbps(*rc::gen::inRange(1, 40));
  const auto value_at = [&](BitRate at, Bytes reserved) {
    Planned planned(rounds);
    planned.plan.plan(kNow, at, reserved);
    return planned.value(rounds);
  };
  const double value = value_at(rate, Bytes(50'000));
  const double margin = 1e-9 * value;
  RC_ASSERT(value_at(rate, Bytes(20'000)) >= value - margin);
  RC_ASSERT(value_at(BitRate::mbps(41), Bytes(50'000)) >= value - margin);
  rounds[0].deadline += Duration::ms(*rc::gen::inRange<std::int64_t>(1, 100));
  RC_ASSERT(value_at(rate, Bytes(50'000)) >= value - margin);
}

// What is sent in steps of a quantum, with a new plan whenever one is due, at a rate that is as
// foreseen, is what the first plan was worth.
RC_GTEST_PROP(DeadlinePlan, LosesNothingByPlanningAgain, ()) {
  const auto rounds = drawn_rounds();
  const BitRate rate = BitRate::mbps(8);  // a byte a microsecond
  Planned planned(rounds);
  DeadlinePlan& plan = planned.plan;
  plan.plan(kNow, rate, Bytes(0));
  const double promised = planned.value(rounds);
  std::vector<std::uint64_t> sent(rounds.size());
  Instant now = kNow;
  while (true) {
    if (plan.is_due(now, rate)) {
      plan.plan(now, rate, Bytes(0));
    }
    const auto grant = plan.next(now);
    if (!grant) {
      break;
    }
    const Bytes bytes = std::min(grant->bytes, Bytes(1'000));
    now += rate.time_for(bytes);
    RC_ASSERT(now <= grant->deadline);
    plan.on_sent(grant->id, bytes);
    for (std::size_t i = 0; i < rounds.size(); ++i) {
      sent[i] += planned.ids[i] == grant->id ? bytes.count() : 0;
    }
  }
  double value = 0;
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    value += value_of(rounds[i], sent[i]);
  }
  RC_ASSERT(value >= promised * (1 - 1e-9));
}

}  // namespace
}  // namespace godwit::scheduler
