// A character model: the next byte of a text from the 16 before it. Each byte becomes a row of an
// embedding, the rows go through 512-768-384-256, ReLU, softmax (Bengio et al. 2003, "A neural
// probabilistic language model"); 796,032 fp32 parameters.
//
// All parameters lie in one flat vector: the embedding by byte, then layer by layer weights by
// input row and biases. A batch touches few rows of the embedding: its updates are sparse by rows,
// those of the layers dense.
//
// Thread: one owner per TextModel (it holds scratch). Memory: proportional to batch_max.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::bench_codec {

inline constexpr std::size_t kTextContext = 16;    // bytes that a prediction sees
inline constexpr std::size_t kTextEmbedding = 32;  // numbers for a byte
inline constexpr std::size_t kTextInputs = kTextContext * kTextEmbedding;
inline constexpr std::size_t kTextHidden1 = 768;
inline constexpr std::size_t kTextHidden2 = 384;
inline constexpr std::size_t kTextBytes = 256;
inline constexpr std::size_t kTextParameters =
    kTextBytes * kTextEmbedding + (kTextInputs + 1) * kTextHidden1 +
    (kTextHidden1 + 1) * kTextHidden2 + (kTextHidden2 + 1) * kTextBytes;

// The licences that every Debian system has, one after the other: some 200 KB of English. kNotFound
// where there are none.
inline constexpr char kTextFolder[] = "/usr/share/common-licenses";
Result<std::string> load_text(const std::string& folder);

// Normal with variance 2 / inputs (He et al. 2015), the embedding with variance 1, biases zero.
std::vector<float> seed_text_parameters(std::uint64_t seed);

class TextModel {
 public:
  explicit TextModel(std::size_t batch_max);
  ~TextModel();
  TextModel(const TextModel&) = delete;
  TextModel& operator=(const TextModel&) = delete;

  // Writes the mean gradient of the cross entropy of the bytes at `positions` into `gradient` and
  // returns the mean loss, in nats. Each position is in [kTextContext, text.size());
  // 1 <= positions.size() <= batch_max; both spans have kTextParameters elements.
  float gradient(std::span<const float> parameters,
                 std::span<const std::uint8_t> text,
                 std::span<const std::uint32_t> positions,
                 std::span<float> gradient);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace godwit::bench_codec
