#include "api/cli/codec_bench/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "api/cli/codec_bench/budgets.h"
#include "api/cli/codec_bench/passes.h"

namespace godwit::codec_bench {
namespace {

// Bits a value. Up to 0.125 the gateway tries a list; above 10 nobody sends BPC.
constexpr std::array kSparseListBits{0.002, 0.005, 0.01, 0.02, 0.05, 0.1};
constexpr std::array kBpcBits{
    0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0};
constexpr std::array kRowBits{0.05, 0.1, 0.2, 0.5, 1.0, 2.0};
constexpr int kTargetTries = 8;
constexpr double kTargetExact = 1.005;  // bytes of the target are known up to this factor

std::uint64_t bytes_for(double bits, std::size_t values) {
  return static_cast<std::uint64_t>(std::ceil(bits * static_cast<double>(values) / 8));
}

class Comparing {
 public:
  Comparing(const Sample& sample,
            const Quanta& quanta,
            const Options& options,
            const Progress& progress)
      : sample_(sample),
        options_(options),
        progress_(progress),
        budgets_(sample, quanta),
        passes_(sample, quanta) {}

  Comparison run() {
    bpc();
    target();
    for (const double bits : kSparseListBits) {
      begin(fmt::format("SL at {} bits a value", bits));
      add_row({.subject = Subject::kSparseList, .budget_bits = bits},
              budgets_.by_size(bytes_for(bits, sample_.count)));
    }
    for (const double bits : kRowBits) {
      begin(fmt::format("ROW at {} bits a value", bits));
      add_row({.subject = Subject::kRow, .budget_bits = bits},
              budgets_.by_slope(bytes_for(bits, sample_.count)));
    }
    for (const Subject subject : {Subject::kQ4, Subject::kQ8, Subject::kRaw}) {
      begin(to_string(subject));
      add_row({.subject = subject}, budgets_.unlimited());
    }
    if (passes_.has_xh()) {
      begin(to_string(Subject::kXh));
      Row row{.subject = Subject::kXh};
      row.bytes = passes_.check_xh();
      finish(row, [&](Pass& pass) { passes_.time_xh(pass); });
    }
    if (!copies_.empty()) {
      comparison_.copy_speed = median(copies_);
    }
    return std::move(comparison_);
  }

 private:
  static double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  void begin(std::string_view what) {
    constexpr std::size_t kSteps =
        kBpcBits.size() + 1 + kSparseListBits.size() + kRowBits.size() + 3 + 1;
    progress_(what, step_++, kSteps);
  }

  // Runs timed passes into the row. Small tensors get more, until the time means something.
  template <class Run>
  void finish(Row row, Run run) {
    constexpr double kSecondsMin = 0.02;
    constexpr std::size_t kPassesMax = 200;
    if (sample_.count >= kTimedValues) {
      std::vector<double> encoding;
      std::vector<double> decoding;
      double seconds = 0;
      while (encoding.size() < options_.repetitions ||
             (seconds < kSecondsMin && encoding.size() < kPassesMax)) {
        Pass pass;
        run(pass);
        seconds += pass.encode_seconds + pass.decode_seconds;
        encoding.push_back(4 * static_cast<double>(pass.values) /
                           std::max(1e-9, pass.encode_seconds));
        decoding.push_back(4 * static_cast<double>(pass.values) /
                           std::max(1e-9, pass.decode_seconds));
        copies_.push_back(static_cast<double>(pass.copied) / std::max(1e-9, pass.copy_seconds));
      }
      row.speed = {median(encoding), median(decoding)};
    }
    comparison_.rows.push_back(row);
  }

  // False, and no row, when the budgets have room for nothing.
  bool add_row(Row row, const std::vector<std::size_t>& budgets) {
    const Accuracy accuracy = passes_.check(row.subject, budgets);
    row.bytes = accuracy.bytes;
    row.error = accuracy.error;
    if (accuracy.bytes != 0) {
      finish(row, [&](Pass& pass) { passes_.time(row.subject, budgets, pass); });
    }
    return accuracy.bytes != 0;
  }

  void bpc() {
    std::uint64_t last = 0;
    for (const double bits : kBpcBits) {
      begin(fmt::format("BPC at {} bits a value", bits));
      const auto budgets = budgets_.by_slope(bytes_for(bits, sample_.count));
      const Accuracy accuracy = passes_.check(Subject::kBpc, budgets);
      if (accuracy.bytes == last) {
        continue;  // there is room for nothing yet, or everything is said
      }
      last = accuracy.bytes;
      add_row({.subject = Subject::kBpc, .budget_bits = bits}, budgets);
    }
  }

  // Between a row that is not good enough and one that is, halving the distance in logarithms.
  void target() {
    begin("BPC at the wanted error");
    const auto try_bytes = [&](std::uint64_t bytes) {
      return passes_.check(Subject::kBpc, budgets_.by_slope(bytes)).error <= options_.error;
    };
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    for (const Row& row : comparison_.rows) {
      const std::uint64_t bytes = bytes_for(*row.budget_bits, sample_.count);
      if (row.error > options_.error) {
        low = std::max(low, bytes);
      } else if (high == 0) {
        high = bytes;
      }
    }
    const std::uint64_t most = codec::coded_bytes_max(codec::kTileElements) * sample_.tiles.size();
    if (high == 0) {
      for (high = std::max<std::uint64_t>(low, 8); high < most && !try_bytes(high); high *= 2) {
        low = high;
      }
      if (high >= most && !try_bytes(high)) {
        return;  // fixed point lost more than that, or there are too few values
      }
    }
    for (int i = 0; i < kTargetTries; ++i) {
      const double from = static_cast<double>(std::max<std::uint64_t>(low, 1));
      const auto to = static_cast<double>(high);
      const auto middle = static_cast<std::uint64_t>(std::sqrt(from * to));
      if (to < from * kTargetExact || middle <= low || middle >= high) {
        break;
      }
      (try_bytes(middle) ? high : low) = middle;
    }
    Row row{.subject = Subject::kBpc,
            .budget_bits = 8 * static_cast<double>(high) / static_cast<double>(sample_.count),
            .is_target = true};
    if (add_row(row, budgets_.by_slope(high))) {
      std::stable_sort(comparison_.rows.begin(),
                       comparison_.rows.end(),
                       [](const Row& a, const Row& b) { return a.bytes < b.bytes; });
    }
  }

  const Sample& sample_;
  const Options& options_;
  const Progress& progress_;
  Budgets budgets_;
  Passes passes_;
  Comparison comparison_;
  std::vector<double> copies_;
  std::size_t step_ = 0;
};

}  // namespace

const Row* Comparison::target() const {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [](const Row& row) { return row.is_target; });
  return found == rows.end() ? nullptr : &*found;
}

const Row* Comparison::shortest_within(double error) const {
  const Row* shortest = nullptr;
  for (const Row& row : rows) {
    if (row.error <= error && (shortest == nullptr || row.bytes < shortest->bytes)) {
      shortest = &row;
    }
  }
  return shortest;
}

Comparison compare(const Sample& sample,
                   const Quanta& quanta,
                   const Options& options,
                   const Progress& progress) {
  if (quanta.energy == 0) {
    return {};
  }
  return Comparing(sample, quanta, options, progress).run();
}

}  // namespace godwit::codec_bench
