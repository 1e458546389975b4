// Error against bits a value, both in logarithms, as an SVG that needs nothing else.
//
// BPC and SL are curves, the others points; what is exact, or nearly, stands on the lower edge.
// Every subject has a shape of its own besides its colour.
//
// Thread: pure functions. Memory: the text.
#pragma once

#include <cstddef>
#include <string>

#include "api/cli/codec_bench/comparison.h"

namespace godwit::codec_bench {

struct Caption {
  std::string title;     // any text: what XML cannot hold is shown as '?'
  std::string subtitle;  // the finding
  std::size_t values = 0;
  double error = 0;  // the target's, drawn as a line; relative
};

// Of a comparison without rows: the axes, and that there is nothing to draw.
std::string picture(const Comparison& comparison, const Caption& caption);

}  // namespace godwit::codec_bench
