#include "api/cli/tensor/tensor_file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "api/cli/tensor/npy.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/plain.h"

namespace godwit::tensor {
namespace {

constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 30U;  // that read_npy takes

// NumPy's code for a type, without the order of bytes; none for bf16.
std::string_view numpy_code(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "f4";
    case ElementType::kFloat64:
      return "f8";
    case ElementType::kFloat16:
      return "f2";
    case ElementType::kInt8:
      return "i1";
    case ElementType::kInt16:
      return "i2";
    case ElementType::kInt32:
      return "i4";
    case ElementType::kInt64:
      return "i8";
    case ElementType::kUint8:
      return "u1";
    case ElementType::kUint16:
      return "u2";
    case ElementType::kUint32:
      return "u4";
    case ElementType::kBfloat16:
      return "";
  }
  return "";
}

Result<ElementType> type_of(const NpyFront& front, std::optional<ElementType> said) {
  const std::string_view descr = front.descr;
  const std::string shown = plain(descr.substr(0, 40));
  if (descr.size() < 3) {
    return fail(Code::kCorrupt, "its elements' type is '{}', which is none of NumPy's", shown);
  }
  const std::string_view code = descr.substr(1);
  const bool is_bytes = code[0] == 'V';
  if (descr[0] == '>' && !code.ends_with('1')) {
    return fail(Code::kUnsupported,
                "its elements are big endian ('{}'); save x.astype('<{}')",
                shown,
                plain(code.substr(0, 40)));
  }
  if (descr[0] != '<' && descr[0] != '|') {
    return fail(Code::kUnsupported, "elements of '{}' are not known here", shown);
  }
  std::optional<ElementType> stored;
  for (const ElementType type : kElementTypes) {
    if (code == numpy_code(type)) {
      stored = type;
    }
  }
  if (!said) {
    if (is_bytes) {
      return fail(Code::kInvalid,
                  "its elements are bytes without a meaning ('{}'); say which: --dtype bf16",
                  shown);
    }
    if (!stored) {
      return fail(Code::kUnsupported,
                  "elements of '{}' are not known here; save one of {}",
                  shown,
                  element_type_names());
    }
    return *stored;
  }
  const bool is_unsigned = code[0] == 'u';
  const bool is_as_wide = code.substr(1) == std::to_string(bytes_of(*said));
  if (stored != said && !((is_bytes || is_unsigned) && is_as_wide)) {
    return fail(Code::kInvalid, "its elements are '{}', which is not {}", shown, to_string(*said));
  }
  return *said;
}

Result<Layout> npy_layout(std::span<const std::byte> front,
                          std::uint64_t file_bytes,
                          const Described& described) {
  if (described.offset != 0 || described.count) {
    return fail(Code::kInvalid, "is a NumPy file: --offset and --count are for raw ones");
  }
  const auto npy = parse_npy(front);
  if (!npy) {
    return Failure(npy.error());
  }
  const auto type = type_of(*npy, described.type);
  if (!type) {
    return Failure(type.error());
  }
  const std::uint64_t there = file_bytes - npy->bytes;
  const std::size_t width = bytes_of(*type);
  if (there % width != 0 || there / width != npy->elements) {
    return fail(Code::kCorrupt,
                "{} elements of {} bytes are announced, and {} bytes follow the header: the file "
                "is {}",
                npy->elements,
                width,
                there,
                there / width < npy->elements ? "cut short" : "too long");
  }
  return Layout{*type, npy->bytes, npy->elements};
}

Result<Layout> raw_layout(std::uint64_t file_bytes, const Described& described) {
  if (!described.type) {
    return fail(
        Code::kInvalid,
        "is no NumPy file; of a raw one say what its elements are, --dtype fp32 or one of {}",
        element_type_names());
  }
  const std::size_t width = bytes_of(*described.type);
  if (described.offset > file_bytes) {
    return fail(Code::kInvalid, "--offset {} is behind its {} bytes", described.offset, file_bytes);
  }
  const std::uint64_t there = file_bytes - described.offset;
  if (described.count) {
    if (*described.count > there / width) {
      return fail(Code::kInvalid,
                  "--count {} is more than the {} elements of {} bytes from byte {} on",
                  *described.count,
                  there / width,
                  width,
                  described.offset);
    }
    return Layout{*described.type, described.offset, *described.count};
  }
  if (there % width != 0) {
    return fail(Code::kInvalid,
                "{} bytes from byte {} on are no whole number of {} elements of {} bytes; is it "
                "another --dtype, or --offset, or is there something behind (--count)?",
                there,
                described.offset,
                to_string(*described.type),
                width);
  }
  return Layout{*described.type, described.offset, there / width};
}

Failure at_path(const std::string& path, const Error& error) {
  return fail(error.code, "{}: {}", plain(path), error.message);
}

}  // namespace

Result<Layout> layout_of(std::span<const std::byte> front,
                         std::uint64_t file_bytes,
                         const Described& described) {
  GODWIT_ASSERT(front.size() <= file_bytes);
  return is_npy(front) ? npy_layout(front, file_bytes, described)
                       : raw_layout(file_bytes, described);
}

Result<TensorFile> TensorFile::open(const std::string& path, const Described& described) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (failed || !std::filesystem::exists(status)) {
    return fail(Code::kNotFound,
                "{}: {}",
                plain(path),
                failed ? error_text(failed.value()) : error_text(ENOENT));
  }
  if (!std::filesystem::is_regular_file(status)) {
    return fail(Code::kInvalid, "{}: is no file with a size; copy it into one", plain(path));
  }
  TensorFile file;
  file.path_ = path;
  file.stream_.open(path, std::ios::binary | std::ios::ate);
  const auto end = file.stream_ ? std::streamoff{file.stream_.tellg()} : -1;
  if (end < 0) {
    return system_failure(plain(path), "cannot be opened");
  }
  const auto bytes = static_cast<std::uint64_t>(end);
  std::vector<std::byte> front(std::min<std::uint64_t>(bytes, kNpyFrontMax));
  file.stream_.seekg(0);
  if (!file.stream_.read(reinterpret_cast<char*>(front.data()),
                         static_cast<std::streamsize>(front.size()))) {
    return system_failure(plain(path), "cannot be read");
  }
  const auto layout = layout_of(front, bytes, described);
  if (!layout) {
    return at_path(path, layout.error());
  }
  file.layout_ = *layout;
  return file;
}

Result<void> TensorFile::read(std::uint64_t first, std::span<std::byte> out) {
  GODWIT_ASSERT(first <= count() && out.size() <= (count() - first) * bytes_of(type()));
  if (out.empty()) {
    return {};
  }
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(position_of(first)));
  if (!stream_.read(reinterpret_cast<char*>(out.data()),
                    static_cast<std::streamsize>(out.size()))) {
    return fail(Code::kIo,
                "{}: {} bytes at byte {} cannot be read; was it changed meanwhile?",
                plain(path_),
                out.size(),
                position_of(first));
  }
  return {};
}

Result<std::vector<float>> read_npy(const std::string& path) {
  auto file = TensorFile::open(path, {});
  if (!file) {
    return Failure(file.error());
  }
  if (file->type() != ElementType::kFloat32) {
    return fail(Code::kInvalid, "{}: holds {}, not fp32", plain(path), to_string(file->type()));
  }
  if (file->count() > kElementsMax) {
    return fail(Code::kFull, "{}: more than {} values", plain(path), kElementsMax);
  }
  std::vector<float> values(file->count());
  if (auto read = file->read(0, std::as_writable_bytes(std::span(values))); !read) {
    return Failure(read.error());
  }
  return values;
}

}  // namespace godwit::tensor
