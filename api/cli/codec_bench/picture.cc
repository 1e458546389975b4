#include "api/cli/codec_bench/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "api/cli/codec_bench/xml_text.h"

namespace godwit::codec_bench {
namespace {

// Pixels.
constexpr double kWidth = 900;
constexpr double kHeight = 560;
constexpr double kLeft = 84;
constexpr double kRight = 24;
constexpr double kTop = 72;
constexpr double kBottom = 64;
constexpr double kFloat32Bits = 32;
constexpr double kErrorLeast = 1e-5;  // smaller ones stand on the lower edge

constexpr std::array kSubjects{Subject::kBpc,
                               Subject::kSparseList,
                               Subject::kRow,
                               Subject::kQ4,
                               Subject::kQ8,
                               Subject::kXh,
                               Subject::kRaw};

// Okabe and Ito, "Color Universal Design" (2008), darkened for a white ground.
std::string_view colour_of(Subject subject) {
  switch (subject) {
    case Subject::kBpc:
      return "#d55e00";
    case Subject::kSparseList:
      return "#0072b2";
    case Subject::kRow:
      return "#8a6d00";
    case Subject::kQ4:
      return "#007a59";
    case Subject::kQ8:
      return "#a8487f";
    case Subject::kXh:
      return "#222222";
    case Subject::kRaw:
      return "#777777";
  }
  return "#000000";
}

bool is_curve(Subject subject) {
  return subject == Subject::kBpc || subject == Subject::kSparseList || subject == Subject::kRow;
}

constexpr std::string_view kStyle = R"(<style>
text { font: 13px system-ui, sans-serif; fill: #444 } text.title { font-size: 16px; font-weight: 600; fill: #222 }
text.name { font-weight: 600 } line.grid { stroke: #e6e6e6 } line.edge { stroke: #999 }
line.mark { stroke: #999; stroke-dasharray: 4 4 } polyline { fill: none; stroke-width: 2.2; stroke-linejoin: round }
</style>
)";

class LogAxis {
 public:
  LogAxis(double low, double high, double start, double end)
      : low_(low), high_(high), start_(start), end_(end) {}

  double at(double value) const {
    const double part = std::log(std::clamp(value, low_, high_) / low_) / std::log(high_ / low_);
    return start_ + part * (end_ - start_);
  }
  double low() const { return low_; }
  double middle() const { return (start_ + end_) / 2; }
  // Powers of ten times `digits`, within the axis.
  std::vector<double> ticks(std::initializer_list<double> digits) const {
    std::vector<double> found;
    const auto last = static_cast<int>(std::floor(std::log10(high_ * 1.001)));
    for (auto power = static_cast<int>(std::floor(std::log10(low_))); power <= last; ++power) {
      const double decade = std::pow(10, power);
      for (const double digit : digits) {
        if (digit * decade >= low_ * 0.999 && digit * decade <= high_ * 1.001) {
          found.push_back(digit * decade);
        }
      }
    }
    return found;
  }

 private:
  double low_;
  double high_;
  double start_;
  double end_;
};

std::string label(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format(
             R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x, y, anchor, text) +
         "\n";
}

class Drawing {
 public:
  Drawing(const Comparison& comparison, const Caption& caption)
      : rows_(comparison.rows), caption_(caption), bits_(bits_axis()), error_(error_axis()) {}

  std::string svg() {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" role=\"img\">\n<title>{2}</title>\n{3}"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
        kWidth,
        kHeight,
        xml_text(caption_.title),
        kStyle);
    out_ += fmt::format(
        "<text class=\"title\" x=\"{}\" y=\"28\">{}</text>\n", kLeft, xml_text(caption_.title));
    out_ += label(kLeft, 50, "start", xml_text(caption_.subtitle));
    axes();
    if (rows_.empty()) {
      out_ += label(bits_.middle(), error_.middle(), "middle", "there is nothing to draw");
      return out_ + "</svg>\n";
    }
    marks();
    for (const Subject subject : kSubjects) {
      draw(subject);
    }
    legend();
    return out_ + "</svg>\n";
  }

 private:
  LogAxis bits_axis() const {
    double low = 1;
    double high = kFloat32Bits;
    for (const Row& row : rows_) {
      low = std::min(low, row.bits(caption_.values));
      high = std::max(high, row.bits(caption_.values));
    }
    return {low / 1.25, high * 1.6, kLeft, kWidth - kRight};
  }
  LogAxis error_axis() const {
    double low = 0.1;
    for (const Row& row : rows_) {
      if (row.error >= kErrorLeast) {
        low = std::min(low, row.error);
      }
    }
    return {std::pow(10, std::floor(std::log10(low) + 1e-9)), 1.3, kHeight - kBottom, kTop};
  }
  bool is_on_edge(const Row& row) const { return row.error < error_.low(); }

  void line(std::string_view kind, double x1, double y1, double x2, double y2) {
    out_ += fmt::format(
        "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
        kind,
        x1,
        y1,
        x2,
        y2);
  }

  void axes() {
    const double right = kWidth - kRight;
    const double bottom = kHeight - kBottom;
    for (const double tick : error_.ticks({1, 2, 5})) {
      line("grid", kLeft, error_.at(tick), right, error_.at(tick));
    }
    for (const double tick : error_.ticks({1})) {
      out_ += label(kLeft - 8, error_.at(tick) + 4, "end", fmt::format("{:.3g} %", 100 * tick));
    }
    for (const double tick : bits_.ticks({1, 2, 5})) {
      line("grid", bits_.at(tick), kTop, bits_.at(tick), bottom);
      out_ += label(bits_.at(tick), bottom + 18, "middle", fmt::format("{:.3g}", tick));
    }
    line("edge", kLeft, bottom, right, bottom);
    line("edge", kLeft, kTop, kLeft, bottom);
    out_ += label(bits_.middle(), kHeight - 16, "middle", "bits per value (logarithmic)");
    out_ += fmt::format(
        "<text transform=\"translate(22 {:.1f}) rotate(-90)\" text-anchor=\"middle\">relative L2 "
        "error (logarithmic)</text>\n",
        error_.middle());
  }

  // What people look for: float32's size, and the error that was asked for.
  void marks() {
    const double x = bits_.at(kFloat32Bits);
    line("mark", x, kTop, x, kHeight - kBottom);
    out_ += label(x - 6, kTop + 14, "end", "fp32");
    if (caption_.error > error_.low() && caption_.error < 1) {
      const double y = error_.at(caption_.error);
      line("mark", kLeft, y, kWidth - kRight, y);
    }
    for (const Row& row : rows_) {
      if (row.is_target && !is_on_edge(row)) {
        const double at = bits_.at(row.bits(caption_.values));
        line("mark", at, error_.at(row.error), at, kHeight - kBottom);
        out_ +=
            label(at + 8,
                  error_.at(row.error) - 8,
                  "start",
                  fmt::format(
                      "{:.3g} bits at {:.3g} %", row.bits(caption_.values), 100 * caption_.error));
      }
    }
  }

  std::string shape(Subject subject, double x, double y) const {
    const std::string_view colour = colour_of(subject);
    switch (subject) {
      case Subject::kBpc:
        return fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.4" fill="{}"/>)", x, y, colour) +
               "\n";
      case Subject::kSparseList:
        return fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="6.4" height="6.4" fill="{}"/>)",
                           x - 3.2,
                           y - 3.2,
                           colour) +
               "\n";
      case Subject::kRow:
        return fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="10" height="4" fill="{}"/>)",
                           x - 5,
                           y - 2,
                           colour) +
               "\n";
      case Subject::kQ4:
        return path(colour, fmt::format("M{:.1f},{:.1f} l6,6 l-6,6 l-6,-6 z", x, y - 6));
      case Subject::kQ8:
        return path(colour, fmt::format("M{:.1f},{:.1f} l6.5,11 h-13 z", x, y - 7));
      case Subject::kXh:
        return path(colour, fmt::format("M{:.1f},{:.1f} l6.5,-11 h-13 z", x, y));
      case Subject::kRaw:
        break;
    }
    return fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="10" height="10" fill="{}"/>)",
                       x - 5,
                       y - 10,
                       colour) +
           "\n";
  }
  static std::string path(std::string_view colour, std::string_view d) {
    return fmt::format(R"(<path d="{}" fill="{}"/>)", d, colour) + "\n";
  }

  void draw(Subject subject) {
    std::string points;
    std::string shapes;
    for (const Row& row : rows_) {
      if (row.subject != subject) {
        continue;
      }
      const double x = bits_.at(row.bits(caption_.values));
      const double y = error_.at(row.error);
      points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ", x, y);
      shapes += shape(subject, x, y);
      if (!is_curve(subject)) {
        shapes += label(x + (is_on_edge(row) ? 0 : 10),
                        y - (is_on_edge(row) ? 16 : -5),
                        is_on_edge(row) ? "middle" : "start",
                        to_string(subject));
      }
    }
    if (!points.empty() && is_curve(subject)) {
      out_ += fmt::format("<polyline class=\"{}\" stroke=\"{}\" points=\"{}\"/>\n",
                          to_string(subject),
                          colour_of(subject),
                          points);
    }
    out_ += shapes;
  }

  // In the lower left corner: few bits and little error is where no codec comes.
  void legend() {
    constexpr double kLine = 20;
    double y = kHeight - kBottom - 14 - kLine * static_cast<double>(kSubjects.size());
    const double x = kLeft + 22;
    for (const Subject subject : kSubjects) {
      const bool is_there = std::any_of(
          rows_.begin(), rows_.end(), [&](const Row& row) { return row.subject == subject; });
      if (is_there) {
        const bool hangs = subject == Subject::kXh || subject == Subject::kRaw;
        out_ += shape(subject, x, y - 4 + (hangs ? 5 : 0));
        out_ += fmt::format(
            "<text x=\"{:.1f}\" y=\"{:.1f}\"><tspan class=\"name\" font-weight=\"600\">{}</tspan> "
            "{}</text>\n",
            x + 16,
            y,
            to_string(subject),
            description_of(subject));
      }
      y += kLine;
    }
    out_ += label(x + 16, y, "start", "on the lower edge: exact, or too little to draw");
  }

  const std::vector<Row>& rows_;
  const Caption& caption_;
  LogAxis bits_;
  LogAxis error_;
  std::string out_;
};

}  // namespace

std::string picture(const Comparison& comparison, const Caption& caption) {
  return Drawing(comparison, caption).svg();
}

}  // namespace godwit::codec_bench
