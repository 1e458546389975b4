// Which life of this gateway's state this is: a counter made durable before first use, and a nonce.
//
// The counter lies on a disk (`durable_dir`), the sums on tmpfs (`state_dir`). As long as the
// sums are recovered the incarnation stays; when they are gone (a host that restarted, a wiped
// directory) the counter is raised, written and synced before anything is sent under it, so a
// number of a transfer is never used twice for different payloads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"

namespace godwit::gateway {

inline constexpr std::size_t kIncarnationFileBytes = 16;

// The whole content of an incarnation file, and back. kCorrupt: no gateway has written it.
std::array<std::byte, kIncarnationFileBytes> encode_incarnation(Incarnation incarnation);
Result<Incarnation> decode_incarnation(std::span<const std::byte> file);

// Reads the incarnation that `state_dir` was made under, or, when the directory holds none,
// raises the counter in `durable_dir` and records it in both. Creates missing directories with
// mode 0700. Also takes the lock that keeps a second gateway out of the same state.
// Errors: kIo with the path and the system's word; kCorrupt when a file is damaged; kRefused when
// another process holds the lock, or the counter has come to its end.
Result<Incarnation> recover_or_begin_incarnation(const std::string& state_dir,
                                                 const std::string& durable_dir,
                                                 std::uint32_t nonce);

}  // namespace godwit::gateway
