// Who may begin a handshake: places, pace, and the token of a Retry.

#include "dataplane/transport/admission.h"

#include <gtest/gtest.h>

#include "dataplane/transport/retry_token.h"
#include "tests/support/instants.h"

namespace godwit::transport {
namespace {

using Decision = Admission::Verdict;

const port::Peer kFra = port::Peer::v4({10, 0, 0, 1}, 4433);
const port::Peer kNyc = port::Peer::v4({10, 0, 0, 2}, 4433);

TEST(Admission, AnUnprovenSourceIsAskedForProofWhenItHasItsPlaces) {
  Admission admission({.unproven_max = 10, .unproven_per_source_max = 2});
  EXPECT_EQ(admission.judge(at_ms(0), kFra, {.all = 1, .of_source = 1}, false), Decision::kAccept);
  EXPECT_EQ(admission.judge(at_ms(0), kFra, {.all = 2, .of_source = 2}, false), Decision::kRetry);
  EXPECT_EQ(admission.judge(at_ms(0), kNyc, {.all = 2, .of_source = 0}, false), Decision::kAccept);
  EXPECT_EQ(admission.judge(at_ms(0), kNyc, {.all = 10, .of_source = 0}, false), Decision::kRetry);
}

TEST(Admission, AProvenSourceHasPlacesOfItsOwnUpToTheMaximum) {
  Admission admission({.handshakes_max = 20,
                       .handshakes_per_source_max = 5,
                       .unproven_max = 10,
                       .unproven_per_source_max = 2});
  EXPECT_EQ(admission.judge(at_ms(0), kFra, {.all = 12, .of_source = 4}, true), Decision::kAccept);
  EXPECT_EQ(admission.judge(at_ms(0), kFra, {.all = 12, .of_source = 5}, true), Decision::kDrop);
  EXPECT_EQ(admission.judge(at_ms(0), kFra, {.all = 20, .of_source = 0}, true), Decision::kDrop);
}

TEST(Admission, GreetingsThatEndAtOnceAreLimitedByTheirPace) {
  Admission admission({});
  int accepted = 0;
  int asked = 0;
  constexpr int kGreetings = 100'000;  // in one second, and none stays open
  for (int number = 0; number < kGreetings; ++number) {
    const Instant now = Instant::from_ns(std::int64_t{10'000} * number);
    const Decision verdict = admission.judge(now, kFra, {}, false);
    accepted += verdict == Decision::kAccept ? 1 : 0;
    asked += verdict == Decision::kRetry ? 1 : 0;
  }
  EXPECT_LE(accepted, 16 + 50);
  EXPECT_GE(accepted, 50);
  EXPECT_LE(asked, 64 + 2'000);
  EXPECT_GE(asked, 2'000);
}

TEST(Admission, OneSourcesFloodLeavesAnothersPaceAlone) {
  Admission admission({});
  for (int number = 0; number < 1'000; ++number) {
    admission.judge(at_ms(5), kFra, {}, false);
  }
  EXPECT_EQ(admission.judge(at_ms(5), kNyc, {}, false), Decision::kAccept);
  EXPECT_TRUE(admission.may_check_token(at_ms(5), kNyc));
  EXPECT_TRUE(admission.may_answer(at_ms(5), kNyc));
}

// A token and everything that it is bound to.
struct Sealed {
  std::vector<std::uint8_t> secret = std::vector<std::uint8_t>(32, 7);
  ngtcp2_cid ours{};
  ngtcp2_cid original{};
  std::vector<std::uint8_t> token;

  Sealed() {
    const std::uint8_t ours_bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const std::uint8_t original_bytes[12] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2};
    ngtcp2_cid_init(&ours, ours_bytes, sizeof(ours_bytes));
    ngtcp2_cid_init(&original, original_bytes, sizeof(original_bytes));
    token = RetryToken::seal(at_ms(1'000), secret, kFra, ours, original);
  }
};

TEST(RetryToken, GivesTheOriginalIdBackToItsAddressInTime) {
  const Sealed s;
  const auto id = RetryToken::open(at_ms(5'999), s.secret, kFra, s.ours, s.token);
  ASSERT_TRUE(id.has_value());
  EXPECT_TRUE(ngtcp2_cid_eq(&*id, &s.original));
}

TEST(RetryToken, IsRefusedFromAnotherAddressOrPort) {
  const Sealed s;
  EXPECT_FALSE(RetryToken::open(at_ms(1'001), s.secret, kNyc, s.ours, s.token));
  EXPECT_FALSE(RetryToken::open(at_ms(1'001), s.secret, kFra.with_port(1), s.ours, s.token));
}

TEST(RetryToken, IsRefusedAfterItsLife) {
  const Sealed s;
  EXPECT_FALSE(RetryToken::open(at_ms(6'001), s.secret, kFra, s.ours, s.token));
}

TEST(RetryToken, IsRefusedWithAnotherIdOrSecret) {
  Sealed s;
  EXPECT_FALSE(RetryToken::open(at_ms(1'001), s.secret, kFra, s.original, s.token));
  s.secret[0] ^= 1U;
  EXPECT_FALSE(RetryToken::open(at_ms(1'001), s.secret, kFra, s.ours, s.token));
}

TEST(RetryToken, IsRefusedWhenAnyOfItsBitsWasChanged) {
  Sealed s;
  for (std::size_t bit = 0; bit < s.token.size() * 8; ++bit) {
    s.token[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(RetryToken::open(at_ms(1'001), s.secret, kFra, s.ours, s.token)) << bit;
    s.token[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }
  EXPECT_TRUE(RetryToken::open(at_ms(1'001), s.secret, kFra, s.ours, s.token));
}

}  // namespace
}  // namespace godwit::transport
