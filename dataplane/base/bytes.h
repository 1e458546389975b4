// Bounded cursors over bytes: every format of Godwit is read and written through these two.
//
// Integers are little endian. A cursor that runs past its end stays there, returns zeros and
// reports `ok() == false`: a decoder checks once at the end of a group of fields.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace godwit {

static_assert(std::endian::native == std::endian::little, "formats are little endian");

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Bytes of a varint: seven bits of the value in each.
constexpr std::size_t varint_bytes(std::uint64_t value) {
  return static_cast<std::size_t>(70 - std::countl_zero(value | 1U)) / 7;
}

// Reads fields from bytes that nobody vouches for.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint16_t u16() { return fixed<std::uint16_t>(); }
  std::uint32_t u24() { return u8() | (static_cast<std::uint32_t>(u16()) << 8U); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  std::int64_t i64() { return fixed<std::int64_t>(); }

  // LEB128, at most ten bytes; a longer or overflowing one fails the cursor.
  std::uint64_t varint();

  // The next `count` bytes, or an empty span and a failed cursor.
  std::span<const std::byte> bytes(std::size_t count) {
    if (!ok_ || count > bytes_.size() - at_) {
      ok_ = false;
      return {};
    }
    const auto part = bytes_.subspan(at_, count);
    at_ += count;
    return part;
  }

  std::size_t position() const { return at_; }
  std::size_t remaining() const { return ok_ ? bytes_.size() - at_ : 0; }
  bool ok() const { return ok_; }

 private:
  template <class Integer>
  Integer fixed() {
    Integer value = 0;
    const auto part = bytes(sizeof(value));
    if (!part.empty()) {
      std::memcpy(&value, part.data(), sizeof(value));
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// Writes fields into a buffer of fixed size; `ok()` is false once something did not fit.
class ByteWriter {
 public:
  explicit ByteWriter(std::span<std::byte> out) : out_(out) {}

  void u8(std::uint8_t value) { fixed(value); }
  void u16(std::uint16_t value) { fixed(value); }
  void u24(std::uint32_t value) {
    u8(static_cast<std::uint8_t>(value));
    u16(static_cast<std::uint16_t>(value >> 8U));
  }
  void u32(std::uint32_t value) { fixed(value); }
  void u64(std::uint64_t value) { fixed(value); }
  void i64(std::int64_t value) { fixed(value); }
  void varint(std::uint64_t value);

  void bytes(std::span<const std::byte> part) {
    if (!ok_ || part.size() > out_.size() - at_) {
      ok_ = false;
      return;
    }
    if (!part.empty()) {
      std::memcpy(out_.data() + at_, part.data(), part.size());
    }
    at_ += part.size();
  }

  // What was written so far.
  std::span<std::byte> written() const { return out_.first(at_); }
  std::size_t size() const { return at_; }
  std::size_t remaining() const { return ok_ ? out_.size() - at_ : 0; }
  bool ok() const { return ok_; }

 private:
  template <class Integer>
  void fixed(Integer value) {
    bytes(std::as_bytes(std::span(&value, 1)));
  }

  std::span<std::byte> out_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace godwit
