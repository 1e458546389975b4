#include "api/cli/lab.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/gateway/config.h"
#include "dataplane/base/system_time.h"
#include "dataplane/transport/certificate.h"

namespace godwit::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, kLabSitesMax> kNames = {
    "fra", "sin", "iad", "gru", "syd", "nrt", "cdg", "lhr", "sfo", "bom", "jnb"};
// Chosen: a gateway saves nothing at its end, so a second would do.
constexpr auto kGentle = std::chrono::seconds(5);
constexpr auto kLookEvery = std::chrono::milliseconds(20);

// Empty when it cannot be read: a process may end between this and that.
std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string config_text(const fs::path& folder, const LabPlan& plan) {
  const std::string root = folder.string();
  std::string text = fmt::format(
      "# One file for all sites of this lab; a gateway is told its own by --site.\n"
      "version = 1\n\n[self]\nsite = \"{1}\"\nstate_dir = \"{0}/{{site}}/state\"\n"
      "durable_dir = \"{0}/{{site}}/durable\"\nclient = \"{0}/{{site}}/client.sock\"\n"
      "admin = \"{0}/{{site}}/admin.sock\"\nmetrics_port = 0\n\n"
      "[tls]\nca = \"{0}/certificates/ca.pem\"\ncert = \"{0}/certificates/{{site}}.pem\"\n"
      "key = \"{0}/certificates/{{site}}.key\"\n",
      root,
      kNames[0]);
  for (std::size_t i = 0; i < plan.sites; ++i) {
    text +=
        fmt::format("\n[sites.{}]\nendpoint = \"127.0.0.1:{}\"\n", kNames[i], plan.first_port + i);
  }
  for (std::size_t i = 0; i < plan.sites; ++i) {
    for (std::size_t k = i + 1; k < plan.sites; ++k) {
      text += fmt::format(
          "\n[[links]]\nends = [\"{}\", \"{}\"]\ncap = \"{}\"\n", kNames[i], kNames[k], plan.cap);
    }
  }
  return text;
}

// godwitd beside this program, in the build tree beside its folder, or on the path.
std::string daemon_program() {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& candidate : {own / "godwitd", own.parent_path() / "gateway" / "godwitd"}) {
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate.string();
    }
  }
  return "godwitd";
}

// Starts a program in a session of its own, its output appended to `log`.
Result<int> spawn(std::vector<std::string> words, const fs::path& log) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t process = 0;
  const int error = posix_spawnp(&process, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return fail(Code::kIo, "{}: {}", words[0], error_text(error));
  }
  return process;
}

}  // namespace

Lab::Lab(const fs::path& folder) : folder_(fs::absolute(folder).lexically_normal()) {
  if (!folder_.has_filename()) {
    folder_ = folder_.parent_path();
  }
}

bool Lab::exists() const {
  std::error_code error;
  return fs::exists(config(), error);
}

Result<void> Lab::init(const LabPlan& plan) const {
  if (exists()) {
    return fail(Code::kDuplicate, "{}: a lab is there already", folder_.string());
  }
  if (admin_socket("xxx").size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Code::kInvalid, "{}: too long a path for Unix sockets", folder_.string());
  }
  const std::string text = config_text(folder_, plan);
  if (auto checked = gateway::parse_config(text, config().string()); !checked) {
    return Failure(checked.error());
  }
  const fs::path certificates = folder_ / "certificates";
  std::error_code error;
  fs::create_directories(certificates, error);
  for (std::size_t i = 0; i < plan.sites && !error; ++i) {
    fs::create_directories(folder_ / kNames[i], error);
  }
  if (error) {
    return fail(Code::kIo, "{}: {}", folder_.string(), error.message());
  }
  const transport::CertificateOptions options{.valid_from = system_unix_seconds()};
  if (auto made = transport::create_authority_files(certificates, "godwit lab", options); !made) {
    return made;
  }
  for (std::size_t i = 0; i < plan.sites; ++i) {
    if (auto made = transport::issue_site_files(certificates, kNames[i], options); !made) {
      return made;
    }
  }
  // Written last: where it is, the lab is complete.
  std::ofstream out(config());
  out << text;
  if (!out.flush()) {
    return fail(Code::kIo, "{}: cannot be written", config().string());
  }
  return {};
}

Result<std::vector<std::string>> Lab::sites() const {
  const auto config = gateway::load_config(this->config().string());
  if (!config) {
    return Failure(config.error());
  }
  std::vector<std::string> names;
  for (const auto& site : config->sites) {
    names.push_back(site.name);
  }
  return names;
}

std::string Lab::admin_socket(const std::string& site) const {
  return (folder_ / site / "admin.sock").string();
}

int Lab::process_of(const std::string& site) const {
  std::ifstream in(folder_ / site / "pid");
  int process = 0;
  if (!(in >> process) || process <= 0) {
    return 0;
  }
  // The words of its command line, each ended by a zero: the same program with the same file.
  const std::string words = content_of(fmt::format("/proc/{}/cmdline", process));
  const std::string file = '\0' + config().string() + '\0';
  const std::string own = '\0' + site + '\0';
  return words.find(file) != std::string::npos && words.find(own) != std::string::npos ? process
                                                                                       : 0;
}

bool Lab::runs(const std::string& site) const {
  return process_of(site) != 0;
}

std::string Lab::last_words(const std::string& site) const {
  std::ifstream in(folder_ / site / "log");
  std::string last = "its log is empty";
  for (std::string line; std::getline(in, line);) {
    last = line.empty() ? last : line;
  }
  return last;
}

Result<std::vector<std::string>> Lab::start() const {
  const auto names = sites();
  if (!names) {
    return names;
  }
  const std::string program = daemon_program();
  std::vector<std::string> started;
  for (const std::string& site : *names) {
    if (runs(site)) {
      continue;
    }
    const auto process =
        spawn({program, "--config", config().string(), "--site", site}, folder_ / site / "log");
    if (!process) {
      return Failure(process.error());
    }
    std::ofstream(folder_ / site / "pid") << *process << '\n';
    started.push_back(site);
  }
  return started;
}

Result<std::vector<std::string>> Lab::stop() const {
  const auto names = sites();
  if (!names) {
    return names;
  }
  std::vector<std::string> ended;
  for (const std::string& site : *names) {
    if (const int process = process_of(site); process != 0) {
      kill(process, SIGTERM);
      ended.push_back(site);
    }
  }
  const auto rounds = kGentle / kLookEvery;
  for (auto round = 0 * rounds; round < rounds; ++round) {
    bool any = false;
    for (const std::string& site : ended) {
      any = any || runs(site);
    }
    if (!any) {
      return ended;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
  for (const std::string& site : ended) {
    if (const int process = process_of(site); process != 0) {
      kill(process, SIGKILL);
    }
  }
  return ended;
}

}  // namespace godwit::cli
