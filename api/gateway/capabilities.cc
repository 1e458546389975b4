#include "api/gateway/capabilities.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "codec/catalog.h"

namespace godwit::gateway {
namespace {

constexpr std::string_view kCodec = "codec.";
constexpr std::string_view kFinerSteps = "codec.bpc.steps";
constexpr std::string_view kShortRecords = "records.short";
constexpr std::string_view kTransfer = "transfer.";

bool is_printable(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

constexpr std::uint64_t bit_of(codec::Id id) {
  return std::uint64_t{1} << (static_cast<unsigned>(id) % 64);
}

}  // namespace

Capabilities Capabilities::own() {
  std::vector<std::string> names;
  for (const codec::Entry& entry : codec::catalog()) {
    names.push_back(fmt::format("{}{}", kCodec, entry.name));
  }
  names.emplace_back(kFinerSteps);
  names.emplace_back(kShortRecords);
  names.push_back(fmt::format("{}{}", kTransfer, wire::kTransferBytesMax));
  return *read(std::move(names));
}

Result<Capabilities> Capabilities::read(std::vector<std::string> names) {
  if (names.size() > kNamesMax) {
    return fail(Code::kCorrupt, "Hello: {} capabilities, at most {}", names.size(), kNamesMax);
  }
  Capabilities capabilities;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kNameBytesMax || !is_printable(name)) {
      return fail(Code::kCorrupt,
                  "Hello: the name of a capability has {} bytes; it must have 1 to {}, printable",
                  name.size(),
                  kNameBytesMax);
    }
    const std::string_view view = name;
    if (view.starts_with(kCodec)) {
      capabilities.names_codecs_ = true;
      for (const codec::Entry& entry : codec::catalog()) {
        capabilities.named_ |= view.substr(kCodec.size()) == entry.name ? bit_of(entry.id) : 0;
      }
      capabilities.names_finer_steps_ = capabilities.names_finer_steps_ || view == kFinerSteps;
    } else if (view == kShortRecords) {
      capabilities.names_short_records_ = true;
    } else if (view.starts_with(kTransfer)) {
      if (auto good = capabilities.read_transfer(view.substr(kTransfer.size())); !good) {
        return Failure(good.error());
      }
    }
  }
  capabilities.names_ = std::move(names);
  return capabilities;
}

// What is more than this version can freeze is no limit.
Result<void> Capabilities::read_transfer(std::string_view bytes) {
  std::uint32_t count = 0;
  const char* end = bytes.data() + bytes.size();
  const auto [last, error] = std::from_chars(bytes.data(), end, count);
  if (error != std::errc() || last != end || count < kTransferBytesMin) {
    return fail(Code::kCorrupt,
                "Hello: the capability \"{}{}\"; it must be a count of bytes from {} to {}",
                kTransfer,
                bytes,
                kTransferBytesMin,
                std::numeric_limits<std::uint32_t>::max());
  }
  transfer_bytes_max_ = std::min<std::size_t>(transfer_bytes_max_, count);
  return {};
}

bool Capabilities::decodes(codec::Id id) const {
  const bool named = (named_ & bit_of(id)) != 0;
  return id == codec::Id::kRaw || named || (id == codec::Id::kBpc && !names_codecs_);
}

}  // namespace godwit::gateway
