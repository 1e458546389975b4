#include "codec/bpc/step_choice.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "codec/bpc/format.h"
#include "codec/bpc/vector_kernels.h"

namespace godwit::codec::bpc {
namespace {

constexpr std::size_t kQuarters = kSixteenths.size();
constexpr std::size_t kOctaves = 9;
constexpr std::size_t kSizes = kQuarters * kOctaves;

// Chosen: counts of a plane's strings, one or two bytes a class.
constexpr double kPlaneBits = 48;

// The sample by size, in quarters of octaves from the one above the top plane down. A size is also
// the unit of a plane; the plane above has the size four places before.
class Sizes {
 public:
  explicit Sizes(const StepQuestion& question) : question_(question) {}

  std::size_t count() const { return count_; }
  std::uint32_t size(std::size_t i) const { return at_[i].size; }
  // False at the end of what the magnitudes tell.
  bool add_octave() {
    const int plane = question_.top + 1 - static_cast<int>(count_ / kQuarters);
    if (count_ == kSizes || plane < kSixteenthBits) {
      return false;
    }
    for (std::size_t quarter = kQuarters; quarter-- > 0;) {
      add(kSixteenths[quarter] << static_cast<unsigned>(plane - kSixteenthBits));
    }
    return true;
  }

  // Of the significance and of the refinement of the plane with this unit.
  double significance_bits(std::size_t i) const {
    if (at_[i].above == 0) {
      return 0;  // not sent
    }
    const double fresh = at_[i].above - known(i);
    return string_bits(fresh, question_.elements - known(i)) + fresh + kPlaneBits;
  }
  double refinement_bits(std::size_t i) const { return known(i); }

  // The energy that is left after them, of what has at least the least size, in steps^2.
  double left_by_significance(std::size_t i) const {
    return all() - at_[i].energy + octave(i) + (i < kQuarters ? 0 : refined(i - kQuarters));
  }
  double left(std::size_t i) const { return all() - at_[i].energy + refined(i); }
  double all() const { return at_[count_ - 1].energy; }

 private:
  // What lies between this size and the one before, as if it were spread evenly.
  struct Size {
    std::uint32_t size = 0;
    double above = 0;  // elements that have it or more
    double number = 0;
    double middle = 0;
    double spread = 0;
    double energy = 0;  // of all that have it or more
  };

  // Elements that were significant before the plane with this unit.
  double known(std::size_t i) const { return i >= kQuarters ? at_[i - kQuarters].above : 0; }
  // Of those that become significant in it, by the rule of reconstruction.
  double octave(std::size_t i) const {
    double energy = 0;
    for (std::size_t b = i + 1 < kQuarters ? 1 : i + 1 - kQuarters; b <= i; ++b) {
      const double off = at_[b].middle - at_[i].size * (1 + 7.0 / 16);
      energy += at_[b].number * (off * off + at_[b].spread);
    }
    return energy;
  }
  // Of all that are significant by then.
  double refined(std::size_t i) const {
    const double unit = at_[i].size;
    return octave(i) + known(i) * unit * unit * (1.0 / 12 + 1.0 / 256);
  }

  void add(std::uint32_t size) {
    Size next{.size = size};
    if (size <= 0xffff) {
      next.above = question_.scale * count_at_least(question_.sample.data(),
                                                    question_.sample.size(),
                                                    static_cast<std::uint16_t>(size));
    }
    if (count_ > 0) {
      const Size& last = at_[count_ - 1];
      const double high = last.size;
      const double low = size;
      next.number = next.above - last.above;
      next.middle = (high + low) / 2;
      next.spread = (high - low) * (high - low) / 12;
      next.energy = last.energy + next.number * (next.middle * next.middle + next.spread);
    }
    at_[count_++] = next;
  }

  const StepQuestion& question_;
  std::size_t count_ = 0;
  std::array<Size, kSizes> at_;
};

}  // namespace

double string_bits(double ones, double length) {
  constexpr double kLoss = 1.03;  // measured on independent bits: 0.5 to 4 %
  const double rare = std::min(ones, length - ones);
  if (rare <= 0) {
    return 0;
  }
  const double q = rare / length;
  const double entropy = -q * std::log2(q) - (1 - q) * std::log2(1 - q);
  return length * std::min(1.0, kLoss * entropy);
}

int choose_quarter(const StepQuestion& question) {
  Sizes sizes(question);
  struct Course {
    double bits = 0;       // down to its last whole segment
    std::size_t next = 0;  // the first plane that is not whole; 0: not known yet
    bool refines = false;  // of that plane the significance fits
    double part = 0;       // of the segment that does not
  };
  std::array<Course, kQuarters> courses;
  std::size_t running = kQuarters;
  for (std::size_t i = 0; running > 0; ++i) {
    if (i == sizes.count() && !sizes.add_octave()) {
      return 0;
    }
    const std::size_t quarter = kQuarters - 1 - i % kQuarters;
    Course& course = courses[quarter];
    if (course.next != 0) {
      continue;
    }
    for (const bool refines : {false, true}) {
      const double segment = refines ? sizes.refinement_bits(i) : sizes.significance_bits(i);
      if (course.bits + segment > question.room) {
        course = {course.bits, i, refines, (question.room - course.bits) / segment};
        --running;
        break;
      }
      course.bits += segment;
    }
    if (course.next == 0 && sizes.size(i) <= question.unit) {
      return static_cast<int>(quarter);  // the coarsest that is fine enough, and it fits
    }
  }
  int best = 0;
  double least = 0;
  for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
    const auto& [bits, next, refines, part] = courses[quarter];
    const double before = refines            ? sizes.left_by_significance(next)
                          : next < kQuarters ? sizes.all()
                                             : sizes.left(next - kQuarters);
    const double after = refines ? sizes.left(next) : sizes.left_by_significance(next);
    const double left = before + (after - before) * part;
    if (quarter == 0 || left < least) {
      best = static_cast<int>(quarter);
      least = left;
    }
  }
  return best;
}

}  // namespace godwit::codec::bpc
