#include "api/cli/report.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

admin::StatusReport healthy_status() {
  admin::StatusReport report;
  report.set_site("fra");
  report.set_software("godwitd 0.1.0");
  report.set_uptime_ns(90'000'000'000);
  auto* link = report.add_links();
  link->set_peer("sin");
  link->set_name("fra-sin");
  link->set_state(admin::LinkReport::STATE_UP);
  link->set_rtt_ns(328'000'000);
  link->set_cap_bps(16'760'000);
  return report;
}

template <class Report>
ExitCode verdict_on(const Report& report, Report* (admin::AdminResponse::*part)()) {
  admin::AdminResponse response;
  *(response.*part)() = report;
  return verdict(response);
}

TEST(StatusText, OneHealthyScreen) {
  const auto report = healthy_status();

  const std::string text = to_text(report);

  EXPECT_THAT(text, HasSubstr("site fra  godwitd 0.1.0  up 1 min 30 s"));
  EXPECT_THAT(text, HasSubstr("healthy"));
  EXPECT_THAT(text, HasSubstr("328 ms"));
  EXPECT_THAT(text, HasSubstr("16.8 Mbit/s"));
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_status), ExitCode::kOk);
}

TEST(StatusText, NamesTheConfigurationWithItsHash) {
  auto report = healthy_status();
  report.set_config_path("/etc/godwit/godwit.toml");
  report.set_config_hash(0x0123456789abcdefU);

  EXPECT_THAT(to_text(report),
              HasSubstr("config /etc/godwit/godwit.toml  hash 0123456789abcdef\n"));
}

TEST(StatusText, AProblemStandsAboveTheTablesWithItsReasonAndTheNextCommand) {
  auto report = healthy_status();
  auto* problem = report.add_problems();
  problem->set_reason("link.down");
  problem->set_subject("fra-sin");
  problem->set_text("no answer from 203.0.113.9:7443");
  problem->set_command("godwit peer sin");
  problem->set_since_ns(41'000'000'000);
  problem->set_severity(admin::Problem::SEVERITY_FAILURE);

  const std::string text = to_text(report);

  EXPECT_THAT(text, HasSubstr("UNHEALTHY (1)"));
  EXPECT_THAT(text,
              HasSubstr(" ! link.down  fra-sin  41.0 s: no answer from 203.0.113.9:7443\n"
                        "     next: godwit peer sin\n"));
  EXPECT_LT(text.find("link.down"), text.find("PEER"));
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_status), ExitCode::kUnhealthy);
}

TEST(StatusText, ADefectIsUnhealthyWithoutAnyOtherProblem) {
  auto report = healthy_status();
  report.set_defect(2);

  EXPECT_THAT(to_text(report), HasSubstr("conservation defect 2"));
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_status), ExitCode::kUnhealthy);
}

TEST(StatusText, APeersNameCannotSteerTheTerminal) {
  auto report = healthy_status();
  report.mutable_links(0)->set_peer("\x1b[2Jsin");
  report.add_problems()->set_text("\x1b]0;owned\x07");

  EXPECT_THAT(to_text(report), Not(HasSubstr("\x1b")));
}

TEST(LinksText, ALinkThatIsNotUpComesFirstWithItsLastError) {
  admin::LinksReport report;
  auto* link = report.add_links();
  link->set_peer("sin");
  link->set_name("fra-sin");
  link->set_state(admin::LinkReport::STATE_REFUSED);
  link->set_reason("tls.wrong_site");
  link->set_last_error("the certificate is for iad");

  const std::string text = to_text(report);

  EXPECT_EQ(text.find(" ! tls.wrong_site  fra-sin"), 0U);
  EXPECT_THAT(text, HasSubstr("the certificate is for iad\n     next: godwit peer sin"));
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_links), ExitCode::kUnhealthy);
  link->set_state(admin::LinkReport::STATE_UP);
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_links), ExitCode::kOk);
}

TEST(LinksText, ThePortStandsOnceAboveAllLinks) {
  admin::LinksReport report;
  report.add_links()->set_peer("sin");
  EXPECT_EQ(to_text(report).find("port "), std::string::npos) << "a gateway that does not tell";
  auto& port = *report.mutable_port();
  port.set_kind("net_af_packet");
  port.set_device("af_packet:wan0");
  port.set_local_address("10.77.0.1:4433");
  port.set_sent_packets(7);
  port.set_received_frames(12);
  port.set_receive_dropped(3);
  port.set_neighbours_changed(4);
  port.set_neighbours_given_up(6);
  port.set_link_downs(2);
  port.add_refusals()->set_reason("bad_udp");
  auto* refusal = port.add_refusals();
  refusal->set_reason("wrong_port");
  refusal->set_frames(5);
  auto* silent = port.add_silent_neighbours();
  silent->set_address("10.77.0.9");
  silent->set_silent_ns(4'000'000'000);
  auto* conflict = port.add_address_conflicts();
  conflict->set_address("10.77.0.1");
  conflict->set_mac("\x1b[2J");
  const std::string text = to_text(report);
  EXPECT_EQ(text.find("port net_af_packet on af_packet:wan0  10.77.0.1:4433  DOWN  sent 7"), 0U)
      << text;
  EXPECT_THAT(text,
              HasSubstr("  troubles: receive_dropped 3, neighbour_changed 4, neighbour_given_up 6, "
                        "link_down 2\n  frames refused: wrong_port 5\n"));
  EXPECT_THAT(text, HasSubstr(" ! port.neighbour_silent  10.77.0.9  4.00 s: does not answer\n"));
  EXPECT_THAT(text, HasSubstr(" ! port.address_conflict  10.77.0.1"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(LinksText, ShowsWhatIsSentAndReceivedBesideWhatIsPlanned) {
  admin::LinksReport report;
  auto* link = report.add_links();
  link->set_peer("sin");
  link->set_rate_bps(3'000'000);
  link->set_received_bps(4'000'000);
  link->set_planned_bps(19'400'000);
  link->set_cap_bps(20'000'000);

  EXPECT_THAT(to_text(report),
              testing::ContainsRegex("3.00 Mbit/s +4.00 Mbit/s +19.4 Mbit/s +20.0 Mbit/s"));
}

TEST(LinksText, ShowsWhatThePeerCan) {
  admin::LinksReport report;
  auto* link = report.add_links();
  link->set_peer("sin");
  EXPECT_EQ(to_text(report).find("sin can"), std::string::npos);
  link->add_capabilities("codec.bpc");
  link->add_capabilities("transfer.73728");
  EXPECT_THAT(to_text(report), HasSubstr("\nsin can codec.bpc transfer.73728\n"));
}

TEST(TopicsText, NamesTheReasonOfALaneThatStandsStill) {
  admin::TopicsReport report;
  auto* lane = report.add_topics()->add_lanes();
  lane->set_to("sin");
  EXPECT_THAT(to_text(report), testing::ContainsRegex("sin .* closed"));
  lane->set_reason("topic.residency");
  EXPECT_THAT(to_text(report), testing::ContainsRegex("sin .* topic.residency"));
}

TEST(TopicsText, ShowsMemoryBesideItsBoundAndEveryLane) {
  admin::TopicsReport report;
  auto* topic = report.add_topics();
  topic->mutable_summary()->set_name("model/w");
  topic->mutable_summary()->set_memory_used_bytes(3 << 20);
  topic->mutable_summary()->set_memory_bound_bytes(5 << 20);
  topic->set_fraction_bits(40);
  topic->add_allowed_sites("fra");
  topic->add_allowed_sites("sin");
  auto* lane = topic->add_lanes();
  lane->set_to("sin");
  lane->set_frontier(1'234);
  lane->set_open(true);
  lane->set_window_full(true);
  lane->set_residual_energy(25);
  lane->set_residual_age_ns(1'500'000'000);
  lane->set_residual_decay(0.12);
  topic->add_lanes()->set_to("tyo");
  auto* clock = topic->add_clocks();
  clock->set_site("sin");
  clock->set_clock(17);
  clock->set_staleness(2);

  const std::string text = to_text(report);

  EXPECT_THAT(text, HasSubstr("quantum 2^-40"));
  EXPECT_THAT(text, HasSubstr("may be held by fra sin"));
  EXPECT_THAT(text, HasSubstr("memory 3.00 MiB of at most 5.00 MiB"));
  EXPECT_THAT(text, HasSubstr("1,234"));
  EXPECT_THAT(text, testing::ContainsRegex("sin .* 1.5.* s .*12 %/s .*window full"));
  EXPECT_THAT(text, testing::ContainsRegex("tyo .* -  .* - .*closed")) << "nothing is left there";
  EXPECT_THAT(text, HasSubstr("sin 17 (2 behind)"));
}

TEST(LedgerText, ADefectOrAContradictedReceiptIsNamedAndUnhealthy) {
  admin::LedgerReport report;
  report.set_defect(1);
  auto* topic = report.add_topics();
  topic->set_topic("model/w");
  topic->set_published_checksum(0x1fffffffffffffffU);
  topic->add_lanes()->set_to("sin");

  const std::string text = to_text(report);

  EXPECT_THAT(text, HasSubstr("conservation defect 1  (MUST BE 0)"));
  EXPECT_THAT(text, HasSubstr("checksum 1fffffffffffffff"));
  EXPECT_THAT(text, HasSubstr("CONTRADICT"));
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_ledger), ExitCode::kUnhealthy);
  report.set_defect(0);
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_ledger), ExitCode::kUnhealthy);
  report.mutable_topics(0)->mutable_lanes(0)->set_balanced(true);
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_ledger), ExitCode::kOk);
}

TEST(ExplainText, SaysWhyAndWhatNext) {
  admin::ExplainReport report;
  report.mutable_topic()->mutable_summary()->set_name("model/w");
  auto* lane = report.add_lanes();
  lane->set_to("sin");
  lane->set_reason("lane.window_full");
  lane->set_text("1,024 transfers wait for receipts");
  lane->set_command("godwit link sin");
  lane->set_expected_ns(2'000'000'000);

  EXPECT_THAT(to_text(report),
              HasSubstr("-> sin  lane.window_full: 1,024 transfers wait for receipts; there in "
                        "about 2.00 s\n     next: godwit link sin\n"));
}

TEST(PeersText, AMissingPeerIsUnhealthy) {
  admin::PeersReport report;
  auto* peer = report.add_peers();
  peer->set_site("sin");
  peer->set_last_refusal("the certificate has expired");

  EXPECT_THAT(to_text(report), HasSubstr("the certificate has expired"));
  EXPECT_EQ(verdict_on(report, &admin::AdminResponse::mutable_peers), ExitCode::kUnhealthy);
}

TEST(Verdict, AnErrorSaysWhetherTheQuestionOrTheGatewayWasAtFault) {
  admin::AdminResponse response;
  response.mutable_error()->set_code(admin::Error::CODE_NOT_FOUND);
  EXPECT_EQ(verdict(response), ExitCode::kUsage);
  response.mutable_error()->set_code(admin::Error::CODE_BUSY);
  EXPECT_EQ(verdict(response), ExitCode::kNoAnswer);
}

TEST(StopText, SaysWhatWaitsAndForHowLong) {
  admin::StopReport report;
  EXPECT_EQ(to_text(report), "stopping; nothing waits on a lane to another site\n");
  report.set_open_bytes_estimate(2048);
  EXPECT_EQ(to_text(report),
            "stopping; some 2.00 KiB of changes stay in the state directory and go out later\n");
  report.set_drain_ns(20'000'000'000);
  EXPECT_EQ(
      to_text(report),
      "stopping once some 2.00 KiB of changes have gone out, or in 20.0 s; what is left stays "
      "in the state directory\n");
}

}  // namespace
}  // namespace godwit::cli
