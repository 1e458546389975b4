// What a gateway can take, as it says in its Hello: the codecs that it decodes, and the largest
// transfer.
//
//   "codec.bpc"        decodes the codec of that name (codec/catalog.h)
//   "codec.bpc.steps"  decodes BPC with steps between powers of two (codec/bpc/SPEC.md)
//   "records.short"    reads transfers with short records of tiles (dataplane/wire/SPEC.md)
//   "transfer.73728"   takes transfers of up to so many bytes
//
// The least of version 1 needs no name: who names no codec decodes RAW and BPC, who names no
// transfer takes the largest there is. Who names codecs decodes those and RAW. Names that this
// version does not know are kept for people.
//
// Thread: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/codec.h"
#include "dataplane/base/result.h"
#include "dataplane/wire/transfer.h"

namespace godwit::gateway {

class Capabilities {
 public:
  // Names in one Hello, and bytes of a name (control.proto).
  static constexpr std::size_t kNamesMax = 64;
  static constexpr std::size_t kNameBytesMax = 64;
  // No gateway takes less. Chosen: a full tile of RAW at its least width, and the headers.
  static constexpr std::size_t kTransferBytesMin = 16 * 1024;

  // Of this gateway.
  static Capabilities own();
  // kCorrupt: more names, or others, than a Hello may have.
  static Result<Capabilities> read(std::vector<std::string> names);

  // As they were said, printable.
  const std::vector<std::string>& names() const { return names_; }
  bool decodes(codec::Id id) const;
  codec::Accepts accepts() const {
    return {.bpc = decodes(codec::Id::kBpc),
            .finer_steps = names_finer_steps_,
            .sparse_list = decodes(codec::Id::kSparseList),
            .row = decodes(codec::Id::kRow),
            .q8 = decodes(codec::Id::kQ8),
            .q4 = decodes(codec::Id::kQ4)};
  }
  bool reads_short_records() const { return names_short_records_; }
  // In [kTransferBytesMin, wire::kTransferBytesMax].
  std::size_t transfer_bytes_max() const { return transfer_bytes_max_; }

 private:
  Result<void> read_transfer(std::string_view bytes);

  std::vector<std::string> names_;
  bool names_codecs_ = false;
  std::uint64_t named_ = 0;  // bit by codec::Id
  bool names_finer_steps_ = false;
  bool names_short_records_ = false;
  std::size_t transfer_bytes_max_ = wire::kTransferBytesMax;
};

}  // namespace godwit::gateway
