// The command line as a script and a person meet it.
#include "api/cli/cli.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "api/cli/admin_client.h"
#include "api/proto/admin.pb.h"
#include "tests/api/cli/fake_gateway.h"
#include "tests/support/temporary_folder.h"

namespace godwit::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Cli : public testing::Test {
 protected:
  // What a command line says and how it ends.
  struct Ran {
    ExitCode code;
    std::string out;
    std::string err;
  };

  static Ran run_words(const std::vector<std::string>& words) {
    std::ostringstream out;
    std::ostringstream err;
    const ExitCode code = run(words, {.out = out, .err = err});
    return {code, out.str(), err.str()};
  }

  std::string socket() const { return folder_ / "admin.sock"; }

  // Asks the gateway of this test.
  Ran ask_words(std::vector<std::string> words) const {
    words.insert(words.begin(), {"--admin", socket(), "--timeout", "0.3"});
    return run_words(words);
  }

  static std::string healthy() {
    admin::AdminResponse response;
    response.mutable_status()->set_site("fra");
    return FakeGateway::framed(response.SerializeAsString());
  }

  static std::string unhealthy() {
    admin::AdminResponse response;
    response.mutable_status()->add_problems()->set_reason("link.down");
    return FakeGateway::framed(response.SerializeAsString());
  }

  testing_support::TemporaryFolder folder_;
};

TEST_F(Cli, AHealthyGatewayIsExitZeroAndAnUnhealthyOneIsTen) {
  {
    const FakeGateway gateway(socket(), [](const std::string&) { return healthy(); });
    const Ran ran = ask_words({"status"});
    EXPECT_EQ(ran.code, ExitCode::kOk);
    EXPECT_THAT(ran.out, HasSubstr("site fra"));
    EXPECT_EQ(ran.err, "");
  }
  fs::remove(socket());
  const FakeGateway gateway(socket(), [](const std::string&) { return unhealthy(); });
  EXPECT_EQ(ask_words({"status"}).code, ExitCode::kUnhealthy);
}

TEST_F(Cli, EveryQuestionReachesTheGatewayWithItsArgument) {
  std::vector<std::string> seen;
  const FakeGateway gateway(socket(), [&](const std::string& bytes) {
    admin::AdminRequest request;
    EXPECT_TRUE(request.ParseFromString(bytes));
    seen.push_back(request.ShortDebugString());
    return healthy();
  });
  for (const auto& words : std::vector<std::vector<std::string>>{{"status"},
                                                                 {"topic", "model/w"},
                                                                 {"link", "sin"},
                                                                 {"ledger", "model/w"},
                                                                 {"peer", "sin"},
                                                                 {"explain", "model/w"},
                                                                 {"stop", "--drain", "1.5"}}) {
    EXPECT_EQ(ask_words(words).code, ExitCode::kOk) << words[0];
  }
  EXPECT_THAT(seen,
              testing::ElementsAre("status { }",
                                   "topics { name: \"model/w\" }",
                                   "links { peer: \"sin\" }",
                                   "ledger { topic: \"model/w\" }",
                                   "peers { site: \"sin\" }",
                                   "explain { topic: \"model/w\" }",
                                   "stop { drain_ns: 1500000000 }"));
}

TEST_F(Cli, JsonIsOneLineWhereverTheFlagStands) {
  const FakeGateway gateway(socket(), [](const std::string&) { return healthy(); });
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"--json", "status"}, {"status", "--json"}}) {
    const Ran ran = ask_words(words);
    EXPECT_EQ(ran.code, ExitCode::kOk);
    EXPECT_EQ(ran.out.find('\n'), ran.out.size() - 1);
    EXPECT_EQ(nlohmann::json::parse(ran.out)["site"], "fra");
  }
}

TEST_F(Cli, WithoutAGatewayItCouldNotAsk) {
  const Ran ran = ask_words({"status"});

  EXPECT_EQ(ran.code, ExitCode::kNoAnswer);
  EXPECT_THAT(ran.err, AllOf(HasSubstr(socket()), HasSubstr("is godwitd running?")));
  const Ran json = ask_words({"status", "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out)["error"]["code"], "not_found");
}

TEST_F(Cli, AGatewayThatIsSilentIsATimeout) {
  const FakeGateway gateway(socket(), [](const std::string&) { return ""; });

  EXPECT_EQ(ask_words({"status"}).code, ExitCode::kTimeout);
}

TEST_F(Cli, AnswersThatAreNoneAreRefused) {
  const std::string whole = healthy();
  for (const std::string& bytes : {whole.substr(0, whole.size() - 1),        // ends too early
                                   std::string(4, '\0'),                     // of no bytes
                                   std::string(4, '\xff'),                   // of 4 GiB
                                   FakeGateway::framed("\xff\xff\xff\xff"),  // not Protobuf
                                   FakeGateway::framed("\x9a\x06\x00")}) {   // of an unknown kind
    fs::remove(socket());
    const FakeGateway gateway(socket(), [&](const std::string&) { return bytes; });
    EXPECT_EQ(ask_words({"status"}).code, ExitCode::kNoAnswer);
  }
}

TEST_F(Cli, AnUnknownTopicIsAMistakeOfTheCommandLine) {
  const FakeGateway gateway(socket(), [](const std::string&) {
    admin::AdminResponse response;
    response.mutable_error()->set_code(admin::Error::CODE_NOT_FOUND);
    response.mutable_error()->set_text("no topic \"x\"; there is model/w");
    return FakeGateway::framed(response.SerializeAsString());
  });

  const Ran ran = ask_words({"topic", "x"});

  EXPECT_EQ(ran.code, ExitCode::kUsage);
  EXPECT_EQ(ran.err, "godwit: no topic \"x\"; there is model/w\n");
  EXPECT_EQ(nlohmann::json::parse(ask_words({"topic", "x", "--json"}).out)["error"]["code"],
            "not_found");
}

TEST_F(Cli, WaitsUntilTheGatewayIsHealthy) {
  int asked = 0;
  const FakeGateway gateway(
      socket(), [&](const std::string&) { return ++asked < 3 ? unhealthy() : healthy(); });

  EXPECT_EQ(ask_words({"status", "--wait", "20"}).code, ExitCode::kOk);

  EXPECT_EQ(asked, 3);
}

TEST_F(Cli, AWaitThatEndsInVainSaysWhatIsWrongAndIsATimeout) {
  const FakeGateway gateway(socket(), [](const std::string&) { return unhealthy(); });

  const Ran ran = ask_words({"status", "--wait", "0.1"});

  EXPECT_EQ(ran.code, ExitCode::kTimeout);
  EXPECT_THAT(ran.out, HasSubstr("link.down"));
}

TEST_F(Cli, TheOnlyGatewayOfTheRunFolderIsAskedAndOfTwoOneMustBeNamed) {
  const auto answer = [](const std::string&) { return healthy(); };
  const std::string run_folder = folder_.path();
  fs::create_directory(folder_ / "fra");
  fs::create_directory(folder_ / "sin");
  EXPECT_EQ(run_words({"status", "--run-folder", run_folder}).code, ExitCode::kNoAnswer);

  const FakeGateway fra((folder_ / "fra") / "admin.sock", answer);
  EXPECT_EQ(run_words({"status", "--run-folder", run_folder}).code, ExitCode::kOk);

  const FakeGateway sin((folder_ / "sin") / "admin.sock", answer);
  const Ran ran = run_words({"status", "--run-folder", run_folder});
  EXPECT_EQ(ran.code, ExitCode::kUsage);
  EXPECT_THAT(ran.err, HasSubstr("--site fra | --site sin"));
  EXPECT_EQ(run_words({"status", "--run-folder", run_folder, "--site", "sin"}).code, ExitCode::kOk);
}

TEST_F(Cli, AnUnknownCommandIsNamedWithAllThatThereAre) {
  EXPECT_EQ(run_words({"stat"}).err,
            "godwit: \"stat\" is no command; godwit has: status, topic, link, ledger, peer, "
            "explain, stop, config, cert, lab, bench, completion; `godwit --help` says more\n");
  EXPECT_EQ(run_words({"cert", "isue", "--json"}).err, "");
  EXPECT_THAT(run_words({"cert", "isue"}).err,
              AllOf(HasSubstr("\"isue\" is no command; godwit cert has: init, issue, show"),
                    HasSubstr("`godwit cert --help`")));
  EXPECT_THAT(run_words({"config", "check"}).err, HasSubstr("`godwit config check --help`"));
  EXPECT_THAT(run_words({"config"}).err, HasSubstr("a command is missing; godwit config has: "));
}

TEST_F(Cli, AWrongCommandLineIsToldInJsonToWhoAsksForIt) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"--json"},
                                             {"--json", "stat"},
                                             {"stat", "--json"},
                                             {"status", "--nonsense", "--json"}}) {
    const Ran ran = run_words(words);
    EXPECT_EQ(ran.code, ExitCode::kUsage);
    EXPECT_EQ(ran.err, "");
    const auto said = nlohmann::json::parse(ran.out);
    EXPECT_EQ(said["error"]["code"], "invalid");
    EXPECT_NE(said["error"]["text"], "");
  }
}

TEST_F(Cli, WrongCommandLinesAreExitTwo) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{},
                                             {"stat"},
                                             {"status", "--nonsense"},
                                             {"explain"},
                                             {"status", "--wait", "soon"},
                                             {"status", "--wait", "1", "--watch"},
                                             {"status", "--wait", "nan"},
                                             {"status", "--timeout", "nan"},
                                             {"status", "--timeout", "0"},
                                             {"stop", "--drain", "inf"},
                                             {"status", "--admin", ""},
                                             {"status", "--site="},
                                             {"stat", "--help"},
                                             {"lab", "up", "x", "--sites", "1"},
                                             {"bench"},
                                             {"bench", "codec"},
                                             {"bench", "codec", ""},
                                             {"bench", "codec", "x", "--svg", "x.npy"},
                                             {"bench", "codec", "x", "--dtype", "fp8"},
                                             {"bench", "codec", "x", "--offset", "-1"},
                                             {"bench", "codec", "x", "--error", "nan"},
                                             {"bench", "codec", "x", "--error", "0"},
                                             {"bench", "codec", "x", "--fraction-bits", "63"},
                                             {"bench", "codec", "x", "--values", "1"},
                                             {"bench", "codec", "x", "--repetitions", "0"},
                                             {"config"}}) {
    const Ran ran = run_words(words);
    EXPECT_EQ(ran.code, ExitCode::kUsage);
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err, "");
  }
}

TEST_F(Cli, HelpNamesEveryCommandAndTheExitCodes) {
  const Ran ran = run_words({"--help"});

  EXPECT_EQ(ran.code, ExitCode::kOk);
  for (const char* word : {"status",
                           "topic",
                           "link",
                           "ledger",
                           "peer",
                           "explain",
                           "stop",
                           "config",
                           "cert",
                           "lab",
                           "bench",
                           "completion",
                           "10 unhealthy",
                           "11 timeout"}) {
    EXPECT_THAT(ran.out, HasSubstr(word));
  }
  EXPECT_THAT(ran.out, Not(HasSubstr("__complete")));
}

TEST_F(Cli, CompletesCommandsAndOptions) {
  EXPECT_EQ(run_words({"__complete", "--", "st"}).out, "status\nstop\n");
  EXPECT_EQ(run_words({"__complete", "--", "cert", ""}).out, "init\nissue\nshow\n");
  EXPECT_THAT(run_words({"__complete", "--", "status", "--w"}).out, "--wait\n--watch\n");
  EXPECT_THAT(run_words({"__complete", "--", "status", "--js"}).out, "--json\n");
  EXPECT_EQ(run_words({"__complete", "--", "bench", ""}).out, "codec\n");
  EXPECT_EQ(run_words({"__complete", "--", "bench", "codec", "--s"}).out, "--site\n--svg\n");
  EXPECT_THAT(run_words({"__complete", "--", ""}).out, Not(HasSubstr("__complete")));
  EXPECT_THAT(run_words({"completion", "bash"}).out, HasSubstr("complete -F _godwit godwit"));
}

TEST_F(Cli, ALabIsCertificatesAndAConfigurationThatIsCorrect) {
  const std::string lab = folder_ / "lab";

  EXPECT_EQ(run_words({"lab", "init", lab, "--sites", "4"}).code, ExitCode::kOk);

  EXPECT_THAT(run_words({"config", "check", lab + "/godwit.toml", "--site", "sin"}).out,
              HasSubstr("this is sin, one of 4 sites; 6 links"));
  EXPECT_EQ(run_words({"cert", "show", lab + "/certificates/sin.pem"}).code, ExitCode::kOk);
  EXPECT_EQ(run_words({"lab", "init", lab}).code, ExitCode::kUsage);
  const Ran status = run_words({"lab", "status", lab});
  EXPECT_EQ(status.code, ExitCode::kUnhealthy);
  EXPECT_THAT(status.out, HasSubstr("NOT RUNNING"));
  EXPECT_EQ(run_words({"lab", "down", lab}).out, "ended: none\n");
}

// Puts a program named godwitd first on the path while it lives.
class FakeDaemon {
 public:
  FakeDaemon(const fs::path& folder, const std::string& script) : path_(getenv("PATH")) {
    const fs::path program = folder / "godwitd";
    std::ofstream(program) << "#!/bin/sh\n" << script << '\n';
    fs::permissions(program, fs::perms::owner_all);
    setenv("PATH", (folder.string() + ":" + path_).c_str(), 1);
  }
  ~FakeDaemon() { setenv("PATH", path_.c_str(), 1); }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

 private:
  std::string path_;
};

TEST_F(Cli, ALabGoesUpOnceAndDownAgain) {
  const fs::path lab = folder_ / "lab";
  ASSERT_EQ(run_words({"lab", "init", lab, "--sites", "2"}).code, ExitCode::kOk);
  const FakeDaemon daemon(folder_.path(), "trap 'kill $!; exit' TERM; sleep 60 & wait");
  const auto answer = [](const std::string&) { return healthy(); };
  const FakeGateway fra((lab / "fra") / "admin.sock", answer);
  const FakeGateway sin((lab / "sin") / "admin.sock", answer);

  EXPECT_THAT(run_words({"lab", "up", lab}).out, HasSubstr("started: fra sin\n"));
  EXPECT_THAT(run_words({"lab", "up", lab}).out, HasSubstr("started: none\n"));
  const Ran other_plan = run_words({"lab", "up", lab, "--cap", "1Mbit/s"});
  EXPECT_EQ(other_plan.code, ExitCode::kUsage);
  EXPECT_THAT(other_plan.err, HasSubstr("is there already"));
  EXPECT_EQ(run_words({"lab", "status", lab}).code, ExitCode::kOk);
  EXPECT_EQ(run_words({"lab", "down", lab}).out, "ended: fra sin\n");
  EXPECT_EQ(run_words({"lab", "down", lab}).out, "ended: none\n");
}

TEST_F(Cli, ALabWhoseGatewayCannotStartSaysWhy) {
  const fs::path lab = folder_ / "lab";
  const FakeDaemon daemon(folder_.path(), "echo the port is taken >&2; exit 1");

  const Ran ran = run_words({"lab", "up", lab, "--sites", "2"});

  EXPECT_EQ(ran.code, ExitCode::kNoAnswer);
  EXPECT_THAT(ran.err, HasSubstr("the port is taken"));
}

TEST_F(Cli, ANumberThatAnotherProcessHasIsNotEnded) {
  const fs::path lab = folder_ / "lab";
  ASSERT_EQ(run_words({"lab", "init", lab, "--sites", "2"}).code, ExitCode::kOk);
  std::ofstream((lab / "fra") / "pid") << getpid() << '\n';  // this test

  EXPECT_EQ(run_words({"lab", "down", lab}).out, "ended: none\n");
}

TEST_F(Cli, AWrongConfigurationIsExitTwoWithLineAndColumn) {
  std::ofstream(folder_ / "wrong.toml") << "version = 1\nsites = [\n";

  const Ran ran = run_words({"config", "check", (folder_ / "wrong.toml").string()});

  EXPECT_EQ(ran.code, ExitCode::kUsage);
  EXPECT_THAT(ran.err, testing::ContainsRegex("wrong\\.toml:[0-9]+:[0-9]+: "));
}

TEST_F(Cli, CertificatesAreMadeOnceAndSayTheirSite) {
  const std::string folder = folder_.path();

  EXPECT_EQ(run_words({"cert", "init", folder}).code, ExitCode::kOk);
  EXPECT_EQ(run_words({"cert", "issue", folder, "fra", "sin"}).code, ExitCode::kOk);

  const auto shown = run_words({"cert", "show", folder + "/fra.pem", "--json"});
  EXPECT_EQ(nlohmann::json::parse(shown.out)["sites"][0], "fra");
  EXPECT_EQ(run_words({"cert", "init", folder}).code, ExitCode::kUsage);
  EXPECT_EQ(run_words({"cert", "issue", folder, "Not A Site"}).code, ExitCode::kUsage);
  const auto twice = run_words({"cert", "issue", folder, "iad", "ams", "ams"});
  EXPECT_EQ(twice.code, ExitCode::kUsage);
  EXPECT_THAT(twice.err, HasSubstr("ams is named twice; nothing was made"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/iad.pem"));
}

}  // namespace
}  // namespace godwit::cli
