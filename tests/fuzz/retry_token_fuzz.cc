// The token of a greeting, as anybody may send it.
//
// Input: a first byte, then bytes. Even: they are the token. Odd: they change a true token by
// exclusive or, and cut or lengthen it where their number differs from its own. Only an unchanged
// true token opens.
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/transport/retry_token.h"

namespace godwit::transport {
namespace {

void try_token(std::span<const std::uint8_t> input) {
  const std::vector<std::uint8_t> secret(32, 0x5a);
  const port::Peer peer = port::Peer::v4({10, 0, 0, 1}, 4433);
  const Instant now = Instant::from_ns(1'000'000'000);
  ngtcp2_cid ours{};
  ours.datalen = 8;
  ngtcp2_cid original{};
  original.datalen = 16;
  const bool is_mask = (input.front() & 1U) != 0;
  const auto bytes = input.subspan(1);
  std::vector<std::uint8_t> token(bytes.begin(), bytes.end());
  bool is_true = false;
  if (is_mask) {
    const auto sealed = RetryToken::seal(now, secret, peer, ours, original);
    GODWIT_ASSERT(!sealed.empty());
    is_true = token.size() == sealed.size();
    for (std::size_t index = 0; index < token.size(); ++index) {
      is_true = is_true && token[index] == 0;
      if (index < sealed.size()) {
        token[index] ^= sealed[index];
      }
    }
  }
  const auto opened = RetryToken::open(now, secret, peer, ours, token);
  GODWIT_ASSERT(opened.has_value() == is_true, "only a true token opens");
  if (opened) {
    GODWIT_ASSERT(ngtcp2_cid_eq(&*opened, &original) != 0);
  }
}

}  // namespace
}  // namespace godwit::transport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) {
    godwit::transport::try_token({data, size});
  }
  return 0;
}
