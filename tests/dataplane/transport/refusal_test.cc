// Who is let in and who is not: every refusal has its name, at both ends, and is never silent.

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "dataplane/transport/x509.h"
#include "tests/dataplane/transport/world.h"

namespace godwit::transport::testing {
namespace {

struct MeetingOutcome {
  Close at_dialer;
  Close at_acceptor;
  bool acceptor_told = false;
  bool dialer_established = false;
  std::uint64_t transfers = 0;
};

// fra dials nyc with these papers; what becomes of it.
MeetingOutcome meet(const PemPair& dialer,
                    const PemPair& acceptor,
                    const PemPair& dialer_trusts = authority(),
                    const PemPair& acceptor_trusts = authority()) {
  World world(7);
  Site& a = world.site("fra", dialer, dialer_trusts);
  Site& b = world.site("nyc", acceptor, acceptor_trusts);
  world.join(a, b, {.delay = Duration::ms(10)});
  world.dial(a, b);
  world.run_until([&] { return a.seen[0]->is_closed; }, Duration::ms(15'000));
  world.run(Duration::ms(1'000));
  MeetingOutcome outcome;
  outcome.at_dialer = a.seen[0]->close;
  outcome.dialer_established = a.seen[0]->is_established;
  if (!b.seen.empty()) {
    outcome.acceptor_told = b.seen[0]->is_closed;
    outcome.at_acceptor = b.seen[0]->close;
    EXPECT_TRUE(b.seen[0]->control.empty());
  }
  outcome.transfers = a.transfers_received + b.transfers_received;
  return outcome;
}

const PemPair& other_authority() {
  static const PemPair pair =
      make_authority("somebody else", {.valid_from = test_unix_seconds()}).value();
  return pair;
}

TEST(Refusal, TheDialerRefusesAStrangersCertificate) {
  const auto outcome = meet(issue("fra"), issue("nyc", 365, other_authority()));
  EXPECT_EQ(outcome.at_dialer.reason, CloseReason::kCertificateUntrusted);
  EXPECT_NE(outcome.at_dialer.text.find("somebody else"), std::string::npos);
  EXPECT_FALSE(outcome.dialer_established);
}

TEST(Refusal, TheAcceptorRefusesAStrangersCertificateAndTellsBoth) {
  const auto outcome = meet(issue("fra", 365, other_authority()), issue("nyc"));
  EXPECT_TRUE(outcome.acceptor_told);
  EXPECT_EQ(outcome.at_acceptor.reason, CloseReason::kCertificateUntrusted);
  EXPECT_EQ(outcome.at_dialer.reason, CloseReason::kRefusedByPeer);
  EXPECT_NE(outcome.at_dialer.text.find("untrusted issuer"), std::string::npos);
  EXPECT_EQ(outcome.transfers, 0U);
}

TEST(Refusal, TheDialerRefusesAnotherSiteThanTheOneItDialled) {
  const auto outcome = meet(issue("fra"), issue("tyo"));
  EXPECT_EQ(outcome.at_dialer.reason, CloseReason::kWrongSite);
  EXPECT_EQ(outcome.at_dialer.text, "wrong site tyo, expected nyc");
}

TEST(Refusal, TheAcceptorRefusesASiteThatIsNotConfigured) {
  const auto outcome = meet(issue("tyo"), issue("nyc"));
  EXPECT_TRUE(outcome.acceptor_told);
  EXPECT_EQ(outcome.at_acceptor.reason, CloseReason::kUnknownSite);
  EXPECT_EQ(outcome.at_dialer.reason, CloseReason::kRefusedByPeer);
}

// A context refuses to load an expired certificate, so its clock lags behind while it loads.
std::int64_t g_lag_seconds = 0;
std::int64_t lagging_seconds() {
  return test_unix_seconds() - g_lag_seconds;
}

TEST(Refusal, AnExpiredCertificateIsRefusedByName) {
  for (const bool dialer_is_old : {true, false}) {
    World world(8);
    const PemPair old = issue(dialer_is_old ? "fra" : "nyc", -10);
    Site& a = world.site("fra");
    Site& b = world.site("nyc");
    Site& aged = dialer_is_old ? a : b;
    world.crash(aged);
    g_lag_seconds = std::int64_t{400} * 86'400;
    aged.tls = TlsContext::from_pem(authority().certificate, old, {.unix_seconds = lagging_seconds})
                   .value();
    g_lag_seconds = 0;
    world.start(aged);
    world.join(a, b, {.delay = Duration::ms(10)});
    world.dial(a, b);
    world.run(Duration::ms(3'000));
    if (dialer_is_old) {
      ASSERT_EQ(b.seen.size(), 1U);
      EXPECT_EQ(b.seen[0]->close.reason, CloseReason::kCertificateExpired);
      EXPECT_NE(b.seen[0]->close.text.find("expired certificate of site fra"), std::string::npos);
    } else {
      EXPECT_EQ(a.seen[0]->close.reason, CloseReason::kCertificateExpired);
    }
  }
}

TEST(Refusal, ACertificateOfTheFutureIsRefusedByName) {
  const PemPair early =
      issue_site(
          authority(), "nyc", {.valid_days = 365, .valid_from = test_unix_seconds() + 86'400})
          .value();
  const auto outcome = meet(issue("fra"), early);
  EXPECT_EQ(outcome.at_dialer.reason, CloseReason::kCertificateNotYetValid);
}

TEST(Refusal, ACertificateThatExpiresEndsTheRunningSession) {
  World world(9);
  // One day of validity; the session begins an hour before its end.
  Site& a = world.site("fra");
  const PemPair short_lived = issue("nyc", 1);
  Site& b = world.site("nyc", short_lived, authority());
  world.join(a, b, {.delay = Duration::ms(10)});
  const std::int64_t today = g_unix_seconds;
  g_unix_seconds += 86'400 - 60;
  world.dial(a, b);
  world.run(Duration::ms(50'000));
  EXPECT_TRUE(a.seen[0]->is_established);
  EXPECT_FALSE(a.seen[0]->is_closed);
  world.run(Duration::ms(20'000));
  g_unix_seconds = today;
  EXPECT_TRUE(a.seen[0]->is_closed);
  EXPECT_EQ(a.seen[0]->close.reason, CloseReason::kCertificateExpired);
  EXPECT_EQ(b.seen[0]->close.reason, CloseReason::kRefusedByPeer);
}

// An authority of a day, and certificates of a year from it.
const PemPair& brief_authority() {
  static const PemPair pair =
      make_authority("brief", {.valid_days = 1, .valid_from = test_unix_seconds()}).value();
  return pair;
}

TEST(Refusal, AnAuthorityThatExpiresEndsTheRunningSessionAndAllNewOnes) {
  World world(43);
  const PemPair& brief = brief_authority();
  Site& a = world.site("fra", issue("fra", 365, brief), brief);
  Site& b = world.site("nyc", issue("nyc", 365, brief), brief);
  EXPECT_EQ(a.tls->own().valid_until, test_unix_seconds() + 86'400);
  world.join(a, b, {.delay = Duration::ms(10)});
  const std::int64_t today = g_unix_seconds;
  g_unix_seconds += 86'400 - 60;
  world.dial(a, b);
  world.run(Duration::ms(50'000));
  EXPECT_TRUE(a.seen[0]->is_established);
  EXPECT_EQ(a.seen[0]->identity.valid_until, today + 86'400);
  EXPECT_FALSE(a.seen[0]->is_closed);
  world.run(Duration::ms(20'000));
  EXPECT_TRUE(a.seen[0]->is_closed);
  EXPECT_EQ(a.seen[0]->close.reason, CloseReason::kCertificateExpired);
  g_unix_seconds = today + 86'400 + 60;
  world.dial(a, b);
  world.run(Duration::ms(5'000));
  EXPECT_FALSE(a.seen[1]->is_established);
  EXPECT_EQ(a.seen[1]->close.reason, CloseReason::kCertificateExpired);
  EXPECT_NE(a.seen[1]->close.text.find("expired authority"), std::string::npos)
      << a.seen[1]->close.text;
  const auto late = TlsContext::from_pem(brief.certificate,
                                         issue_site(brief, "fra", {.valid_from = today}).value(),
                                         {.unix_seconds = test_unix_seconds});
  g_unix_seconds = today;
  ASSERT_FALSE(late.has_value());
  EXPECT_NE(late.error().message.find("the authority that issued"), std::string::npos);
}

// The authority's own certificate with another end, signed by its key.
std::string renewed(const PemPair& authority, std::int64_t valid_until) {
  const auto certificate = x509::certificate_from_pem(authority.certificate).value();
  const auto key = x509::key_from_pem(authority.key).value();
  gnutls_datum_t pem{};
  EXPECT_EQ(gnutls_x509_crt_set_expiration_time(certificate.get(), valid_until), 0);
  EXPECT_EQ(
      gnutls_x509_crt_sign2(certificate.get(), certificate.get(), key.get(), GNUTLS_DIG_SHA512, 0),
      0);
  EXPECT_EQ(gnutls_x509_crt_export2(certificate.get(), GNUTLS_X509_FMT_PEM, &pem), 0);
  std::string text(reinterpret_cast<const char*>(pem.data), pem.size);
  gnutls_free(pem.data);
  return text;
}

// The same key with a later end, as an authority is renewed: what it issued before goes on.
TEST(Refusal, OfTwoAuthoritiesWithOneKeyTheLaterEndCounts) {
  const PemPair& brief = brief_authority();
  const std::int64_t later = test_unix_seconds() + 300 * 86'400;
  const std::string longer = renewed(brief, later);
  for (const std::string& both : {brief.certificate + longer, longer + brief.certificate}) {
    const auto tls =
        TlsContext::from_pem(both, issue("fra", 365, brief), {.unix_seconds = test_unix_seconds});
    ASSERT_TRUE(tls.has_value()) << tls.error().message;
    EXPECT_EQ((*tls)->own().valid_until, later);
  }
}

TEST(Refusal, AnUnknownSourceIsDroppedUnread) {
  World world(10);
  Site& a = world.site("fra");
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(10)});
  b.peers.clear();
  b.endpoint->configure({});
  world.dial(a, b);
  world.run_until([&] { return a.seen[0]->is_closed; }, Duration::ms(15'000));
  EXPECT_EQ(a.seen[0]->close.reason, CloseReason::kHandshakeTimeout);
  EXPECT_GE(b.endpoint->counters().packets_unknown_source, 1U);
  EXPECT_EQ(b.endpoint->counters().sessions_accepted, 0U);
}

TEST(Refusal, P256PapersWorkAsWell) {
  const PemPair root =
      make_authority("p256", {.key = KeyKind::kP256, .valid_from = test_unix_seconds()}).value();
  const CertificateOptions options{.key = KeyKind::kP256, .valid_from = test_unix_seconds()};
  World world(11);
  Site& a = world.site("fra", issue_site(root, "fra", options).value(), root);
  Site& b = world.site("nyc", issue_site(root, "nyc", options).value(), root);
  world.join(a, b, {.delay = Duration::ms(10)});
  world.dial(a, b);
  EXPECT_TRUE(world.run_until([&] { return a.seen[0]->is_established; }, Duration::ms(2'000)));
}

class CertificateFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "godwit-cert-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern + "/pki";
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  static mode_t mode(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777U;
  }
  std::string root_;
  std::string folder_;
  CertificateOptions options_{.valid_from = test_unix_seconds()};
};

TEST_F(CertificateFiles, KeysAreSecretAndNothingIsOverwritten) {
  ASSERT_TRUE(create_authority_files(folder_, "lab", options_).has_value());
  ASSERT_TRUE(issue_site_files(folder_, "fra", options_).has_value());
  EXPECT_EQ(mode(folder_ + "/ca.key"), 0600U);
  EXPECT_EQ(mode(folder_ + "/fra.key"), 0600U);
  const auto again = create_authority_files(folder_, "lab", options_);
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().message.find("ca.key"), std::string::npos);
  EXPECT_FALSE(issue_site_files(folder_, "fra", options_).has_value());
  EXPECT_FALSE(read_certificate_file(folder_).has_value()) << "a folder";
  const auto facts = read_certificate_file(folder_ + "/fra.pem");
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->sites, std::vector<std::string>{"fra"});
  EXPECT_EQ(facts->valid_until, test_unix_seconds() + 365 * 86'400);
}

TEST_F(CertificateFiles, IssuingNamesTheFileThatIsNotWhatItShouldBe) {
  for (const char* broken : {"ca.key", "ca.pem"}) {
    std::filesystem::remove(folder_ + "/ca.key");
    std::filesystem::remove(folder_ + "/ca.pem");
    ASSERT_TRUE(create_authority_files(folder_, "lab", options_).has_value());
    std::ofstream(folder_ + "/" + broken) << "key";
    const auto refused = issue_site_files(folder_, "fra", options_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find(folder_ + "/" + broken), std::string::npos)
        << refused.error().message;
  }
}

TEST_F(CertificateFiles, ReloadTakesTheNewPaperAndKeepsTheOldOnError) {
  ASSERT_TRUE(create_authority_files(folder_, "lab", options_).has_value());
  ASSERT_TRUE(issue_site_files(folder_, "fra", options_).has_value());
  const TlsFiles files{folder_ + "/ca.pem", folder_ + "/fra.pem", folder_ + "/fra.key"};
  auto context = TlsContext::load(files, {.unix_seconds = test_unix_seconds});
  ASSERT_TRUE(context.has_value()) << context.error().message;
  const std::string before = (*context)->own().sha256;
  std::filesystem::remove(files.certificate);
  const auto failed = (*context)->reload();
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().message.find("fra.pem"), std::string::npos);
  EXPECT_EQ((*context)->own().sha256, before);
  // What opens and cannot be read is no reason to end, either.
  std::filesystem::create_directory(files.certificate);
  const auto unreadable = (*context)->reload();
  ASSERT_FALSE(unreadable.has_value());
  EXPECT_NE(unreadable.error().message.find("fra.pem: Is a directory"), std::string::npos)
      << unreadable.error().message;
  EXPECT_EQ((*context)->own().sha256, before);
  std::filesystem::remove(files.certificate);
  std::ofstream(files.certificate) << std::string(x509::kFileBytesMax + 1, 'x');
  const auto endless = (*context)->reload();
  ASSERT_FALSE(endless.has_value());
  EXPECT_NE(endless.error().message.find("fra.pem: more than"), std::string::npos);
  std::filesystem::remove(files.certificate);
  std::filesystem::remove(files.key);
  ASSERT_TRUE(issue_site_files(folder_, "fra", options_).has_value());
  ASSERT_TRUE((*context)->reload().has_value());
  EXPECT_NE((*context)->own().sha256, before);
}

TEST_F(CertificateFiles, ReloadRefusesThePaperOfAnotherSite) {
  ASSERT_TRUE(create_authority_files(folder_, "lab", options_).has_value());
  ASSERT_TRUE(issue_site_files(folder_, "fra", options_).has_value());
  ASSERT_TRUE(issue_site_files(folder_, "nyc", options_).has_value());
  const TlsFiles files{folder_ + "/ca.pem", folder_ + "/fra.pem", folder_ + "/fra.key"};
  auto context = TlsContext::load(files, {.unix_seconds = test_unix_seconds});
  ASSERT_TRUE(context.has_value()) << context.error().message;
  const std::string before = (*context)->own().sha256;
  std::filesystem::rename(folder_ + "/nyc.pem", files.certificate);
  std::filesystem::rename(folder_ + "/nyc.key", files.key);
  const auto refused = (*context)->reload("fra");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_NE(refused.error().message.find("nyc"), std::string::npos);
  EXPECT_EQ((*context)->own().sha256, before);
}

TEST_F(CertificateFiles, AKeyThatDoesNotFitIsNamed) {
  ASSERT_TRUE(create_authority_files(folder_, "lab", options_).has_value());
  ASSERT_TRUE(issue_site_files(folder_, "fra", options_).has_value());
  ASSERT_TRUE(issue_site_files(folder_, "nyc", options_).has_value());
  const auto context =
      TlsContext::load({folder_ + "/ca.pem", folder_ + "/fra.pem", folder_ + "/nyc.key"},
                       {.unix_seconds = test_unix_seconds});
  ASSERT_FALSE(context.has_value());
  EXPECT_NE(context.error().message.find("nyc.key"), std::string::npos);
}

TEST(Renewal, ANewSessionShowsTheNewCertificateBesideTheOldOne) {
  World world(40);
  Site& a = world.site("fra", issue("fra", 1), authority());
  Site& b = world.site("nyc");
  world.join(a, b, {.delay = Duration::ms(10)});
  Session* first = world.dial(a, b);
  ASSERT_TRUE(world.run_until([&] { return a.of(first).is_established; }, Duration::ms(1'000)));
  const std::string before = a.tls->own().sha256;
  EXPECT_EQ(a.of(first).own_certificate, before);
  ASSERT_TRUE(a.tls->exchange(authority().certificate, issue("fra", 300)).has_value());
  Session* second = world.dial(a, b);
  ASSERT_TRUE(world.run_until([&] { return a.of(second).is_established; }, Duration::ms(1'000)));
  EXPECT_NE(a.tls->own().sha256, before);
  EXPECT_EQ(a.of(second).own_certificate, a.tls->own().sha256);
  ASSERT_EQ(b.seen.size(), 2U);
  EXPECT_EQ(b.seen[0]->identity.certificate_sha256, before);
  EXPECT_EQ(b.seen[1]->identity.certificate_sha256, a.tls->own().sha256);
  for (Session* session : {first, second}) {
    session->send_transfer(world.now(), std::vector<std::byte>(5'000));
  }
  EXPECT_TRUE(world.run_until([&] { return b.transfers_received == 2; }, Duration::ms(1'000)));
  // The old paper ends after a day, and only its session with it.
  EXPECT_TRUE(world.run_until([&] { return b.seen[0]->is_closed; }, Duration::ms(86'500'000)));
  EXPECT_EQ(b.seen[0]->close.reason, CloseReason::kCertificateExpired);
  EXPECT_FALSE(b.seen[1]->is_closed);
}

TEST(Renewal, ABrokenAuthorityIsNotTakenInExchange) {
  World world(41);
  Site& a = world.site("fra");
  const std::string before = a.tls->own().sha256;
  EXPECT_FALSE(a.tls->exchange("no certificate", issue("fra")).has_value());
  EXPECT_EQ(a.tls->own().sha256, before);
}

TEST(SiteName, IsADnsLabel) {
  for (const char* good : {"fra", "eu-west-1", "a", "0"}) {
    EXPECT_TRUE(is_site_name(good)) << good;
  }
  for (const char* bad : {"", "Fra", "a.b", "-a", "a-", "a_b", "a/b", " a"}) {
    EXPECT_FALSE(is_site_name(bad)) << bad;
  }
  EXPECT_TRUE(is_site_name(std::string(32, 'a')));
  EXPECT_FALSE(is_site_name(std::string(33, 'a')));
}

}  // namespace
}  // namespace godwit::transport::testing
