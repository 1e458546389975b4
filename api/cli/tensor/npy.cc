#include "api/cli/tensor/npy.h"

#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/plain.h"

namespace godwit::tensor {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kAligned = 64;

// The header is a Python dictionary of three known keys; nothing else of Python is understood.
class HeaderParser {
 public:
  // `first` is where `text` begins in the file.
  HeaderParser(std::string_view text, std::size_t first) : text_(text), first_(first) {}

  Result<NpyFront> parse() {
    expect('{');
    while (ok() && !take('}')) {
      entry();
      if (!take(',') && peek() != '}') {
        wrong("a ',' or '}'");
      }
    }
    if (ok() && at_ + 1 != text_.size()) {
      wrong("the end of the header, a line feed");
    } else if (ok() && !(has_descr_ && has_order_ && has_shape_)) {
      problem_ = "the header lacks one of 'descr', 'fortran_order', 'shape'";
    }
    if (!ok()) {
      return fail(code_, "{}", *problem_);
    }
    return front_;
  }

 private:
  bool ok() const { return !problem_; }
  void stop(Code code, std::string problem) {
    if (ok()) {
      code_ = code;
      problem_ = std::move(problem);
    }
  }
  void wrong(std::string_view wanted) {
    stop(Code::kCorrupt, fmt::format("byte {}: {} is missing", first_ + at_, wanted));
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
      // The line feed that ends the header is no space in it.
      if (at_ + 1 == text_.size()) {
        return;
      }
      ++at_;
    }
  }
  char peek() {
    skip_spaces();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char one) {
    if (!ok() || peek() != one) {
      return false;
    }
    ++at_;
    skip_spaces();
    return true;
  }
  void expect(char one) {
    if (!take(one)) {
      wrong(fmt::format("a '{}'", one));
    }
  }
  bool take_word(std::string_view word) {
    skip_spaces();
    if (!ok() || !text_.substr(at_).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    skip_spaces();
    return true;
  }

  std::string_view quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') {
      wrong("a text in quotes");
      return {};
    }
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) {
      wrong("the closing quote of a text");
      return {};
    }
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    skip_spaces();
    return inside;
  }

  void entry() {
    const std::string_view key = quoted();
    expect(':');
    if (!ok()) {
      return;
    }
    if (key == "descr" && !has_descr_) {
      has_descr_ = true;
      if (peek() == '[') {
        return stop(Code::kUnsupported, "its elements are records; save one field alone");
      }
      front_.descr = quoted();
    } else if (key == "fortran_order" && !has_order_) {
      has_order_ = true;
      if (take_word("True")) {
        return stop(Code::kUnsupported,
                    "it is in Fortran's order; save numpy.ascontiguousarray(x)");
      }
      if (!take_word("False")) {
        wrong("True or False");
      }
    } else if (key == "shape" && !has_shape_) {
      has_shape_ = true;
      shape();
    } else {
      stop(Code::kCorrupt,
           fmt::format("byte {}: the key '{}' is unknown or there twice",
                       first_ + at_,
                       plain(key.substr(0, 40))));
    }
  }

  void shape() {
    front_.elements = 1;
    bool overflows = false;
    bool is_empty = false;
    expect('(');
    while (ok() && !take(')')) {
      std::uint64_t length = 0;
      const char* const begin = text_.data() + at_;
      const auto [end, failed] = std::from_chars(begin, text_.data() + text_.size(), length);
      if (failed != std::errc()) {
        return wrong("a length below 2^64");
      }
      at_ += static_cast<std::size_t>(end - begin);
      if (front_.shape.size() == kNpyDimensionsMax) {
        return stop(Code::kCorrupt, fmt::format("more than {} dimensions", kNpyDimensionsMax));
      }
      front_.shape.push_back(length);
      is_empty = is_empty || length == 0;
      overflows =
          overflows ||
          (length != 0 && front_.elements > std::numeric_limits<std::uint64_t>::max() / length);
      front_.elements *= length == 0 ? 1 : length;
      // "(3)" is a number to Python; what NumPy writes is "(3,)".
      if (!take(',') && (peek() != ')' || front_.shape.size() == 1)) {
        return wrong("a ','");
      }
    }
    if (ok() && overflows && !is_empty) {
      return stop(Code::kCorrupt, "the shape has more than 2^64 elements");
    }
    front_.elements = is_empty ? 0 : front_.elements;
  }

  std::string_view text_;
  std::size_t first_;
  std::size_t at_ = 0;
  Code code_ = Code::kCorrupt;
  std::optional<std::string> problem_;
  NpyFront front_;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

}  // namespace

bool is_npy(std::span<const std::byte> front) {
  return as_text(front).starts_with(kMagic);
}

Result<NpyFront> parse_npy(std::span<const std::byte> front) {
  ByteReader reader(front);
  reader.bytes(kMagic.size());
  const unsigned major = reader.u8();
  const unsigned minor = reader.u8();
  const std::size_t length = major == 1 ? reader.u16() : reader.u32();
  if (!is_npy(front) || !reader.ok()) {
    return fail(Code::kCorrupt, "{} bytes are less than a NumPy file's first 10", front.size());
  }
  if (major < 1 || major > 3 || minor != 0) {
    return fail(
        Code::kUnsupported, "a NumPy file of version {}.{}; 1.0 to 3.0 are known", major, minor);
  }
  const std::size_t first = reader.position();
  if (length > kNpyFrontMax - first) {
    return fail(
        Code::kUnsupported, "a header of {} bytes, more than {}", length, kNpyFrontMax - first);
  }
  const std::string_view text = as_text(reader.bytes(length));
  if (!reader.ok()) {
    return fail(Code::kCorrupt,
                "the file ends in its header, after {} of {} bytes",
                front.size() - first,
                length);
  }
  if (!text.ends_with('\n')) {
    return fail(
        Code::kCorrupt, "byte {}: the line feed that ends the header is missing", first + length);
  }
  auto parsed = HeaderParser(text, first).parse();
  if (parsed) {
    parsed->bytes = first + length;
  }
  return parsed;
}

Result<void> write_npy(const std::string& path, std::span<const float> values) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", values.size());
  constexpr std::size_t kBefore = 10;  // magic, version and length
  header.append(kAligned - 1 - (kBefore + header.size()) % kAligned, ' ');
  header.push_back('\n');
  const auto length = static_cast<std::uint16_t>(header.size());
  std::ofstream file(path, std::ios::binary);
  file << kMagic << '\x01' << '\x00';
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << header;
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
  file.close();
  return file ? Result<void>() : system_failure(path, "cannot be written");
}

}  // namespace godwit::tensor
