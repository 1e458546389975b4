// Asks the gateway of this host one question over its admin socket.
//
// Thread: any; blocks for at most `timeout`. Memory: an answer of at most kResponseBytesMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/proto/admin.pb.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

namespace godwit::cli {

inline constexpr std::uint32_t kResponseBytesMax = 64U << 20U;  // as api/proto/admin.proto says

// Errors: kNotFound (no socket or nobody listens), kRefused (no permission), kTimeout, kClosed
// (the gateway went away in the middle), kCorrupt (the answer is not one), kIo.
Result<admin::AdminResponse> ask(const std::string& socket_path,
                                 const admin::AdminRequest& request,
                                 Duration timeout);

// The body of an answer, without its length. kCorrupt: none that this version knows.
Result<admin::AdminResponse> decode_answer(std::string_view body);

}  // namespace godwit::cli
