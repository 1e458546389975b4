#include "bench/codec/archivers.h"

#include <algorithm>
#include <memory>

#include <blosc.h>
// For the processor that it is compiled for, like the rest of the program.
#define HWY_COMPILE_ONLY_STATIC
#include <hwy/highway.h>
#include <lz4.h>
#include <zfp.h>
#include <zstd.h>

#include "dataplane/base/assert.h"

namespace godwit::bench_codec {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// What every one of them has room for: more than the largest of their bounds.
constexpr std::size_t kRoom = kArchivedMax + kArchivedMax / 8 + 4096;

// Bytes of one significance together, as blosc has them.
template <std::size_t kWidth>
void byte_planes(const std::uint8_t* in, std::size_t count, std::uint8_t* out) {
  const hn::ScalableTag<std::uint8_t> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto a = hn::Zero(d);
    auto b = hn::Zero(d);
    if constexpr (kWidth == 4) {
      auto c = hn::Zero(d);
      auto e = hn::Zero(d);
      hn::LoadInterleaved4(d, in + 4 * i, a, b, c, e);
      hn::StoreU(c, d, out + 2 * count + i);
      hn::StoreU(e, d, out + 3 * count + i);
    } else {
      hn::LoadInterleaved2(d, in + 2 * i, a, b);
    }
    hn::StoreU(a, d, out + i);
    hn::StoreU(b, d, out + count + i);
  }
  for (; i < count; ++i) {
    for (std::size_t plane = 0; plane < kWidth; ++plane) {
      out[plane * count + i] = in[kWidth * i + plane];
    }
  }
}

Archiver shuffle_zstd() {
  struct State {
    std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), ZSTD_freeCCtx};
    std::vector<std::uint8_t> planes = std::vector<std::uint8_t>(kArchivedMax);
    std::vector<std::byte> out = std::vector<std::byte>(kRoom);
  };
  return {
      "shuffle_zstd",
      [state = std::make_shared<State>()](std::span<const std::byte> values, std::size_t width) {
        const auto* const in = reinterpret_cast<const std::uint8_t*>(values.data());
        if (width == 4) {
          byte_planes<4>(in, values.size() / 4, state->planes.data());
        } else {
          byte_planes<2>(in, values.size() / 2, state->planes.data());
        }
        const std::size_t size = ZSTD_compressCCtx(state->context.get(),
                                                   state->out.data(),
                                                   state->out.size(),
                                                   state->planes.data(),
                                                   values.size(),
                                                   -1);
        GODWIT_ASSERT(ZSTD_isError(size) == 0);
        return size;
      }};
}

Archiver lz4() {
  return {"lz4",
          [out = std::make_shared<std::vector<char>>(kRoom)](std::span<const std::byte> values,
                                                             std::size_t /*width*/) {
            const int size = LZ4_compress_default(reinterpret_cast<const char*>(values.data()),
                                                  out->data(),
                                                  static_cast<int>(values.size()),
                                                  static_cast<int>(out->size()));
            GODWIT_ASSERT(size > 0);
            return static_cast<std::size_t>(size);
          }};
}

Archiver blosc(const std::string& compressor, int shuffle) {
  return {"blosc_" + compressor,
          [compressor, shuffle, out = std::make_shared<std::vector<std::byte>>(kRoom)](
              std::span<const std::byte> values, std::size_t width) {
            const int size = blosc_compress_ctx(1,
                                                shuffle,
                                                width,
                                                values.size(),
                                                values.data(),
                                                out->data(),
                                                out->size(),
                                                compressor.c_str(),
                                                0,
                                                1);
            GODWIT_ASSERT(size > 0);
            return static_cast<std::size_t>(size);
          }};
}

Archiver zfp_reversible() {
  struct State {
    State() { zfp_stream_set_reversible(stream.get()); }
    std::vector<std::byte> out = std::vector<std::byte>(2 * kRoom);
    std::unique_ptr<bitstream, decltype(&stream_close)> bits{stream_open(out.data(), out.size()),
                                                             stream_close};
    std::unique_ptr<zfp_stream, decltype(&zfp_stream_close)> stream{zfp_stream_open(bits.get()),
                                                                    zfp_stream_close};
  };
  return {"zfp",
          [state = std::make_shared<State>()](std::span<const std::byte> values,
                                              std::size_t /*width*/) {
            // It reads them only.
            void* const data = const_cast<std::byte*>(values.data());
            const std::unique_ptr<zfp_field, decltype(&zfp_field_free)> field(
                zfp_field_1d(data, zfp_type_float, values.size() / sizeof(float)), zfp_field_free);
            zfp_stream_rewind(state->stream.get());
            const std::size_t size = zfp_compress(state->stream.get(), field.get());
            GODWIT_ASSERT(size > 0);
            return size;
          }};
}

}  // namespace

std::vector<Archiver> archivers(std::size_t width) {
  std::vector<Archiver> all = {
      shuffle_zstd(), lz4(), blosc("lz4", BLOSC_BITSHUFFLE), blosc("zstd", BLOSC_SHUFFLE)};
  if (width == sizeof(float)) {
    all.push_back(zfp_reversible());
  }
  return all;
}

}  // namespace godwit::bench_codec
