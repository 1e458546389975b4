// godwitd: one site's gateway as a process.
//
//     signals, certificate's files, `godwit`, scrapes ──▶ Daemon ──posts──▶ Worker 0 … N-1
//
// The main thread answers people and tells the workers; they do everything else (worker.h).

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/gateway/admin_server.h"
#include "api/gateway/config.h"
#include "api/gateway/file_watch.h"
#include "api/gateway/identity.h"
#include "api/gateway/link_caps.h"
#include "api/gateway/report_parts.h"
#include "api/gateway/worker.h"
#include "api/local/descriptor.h"
#include "dataplane/base/log.h"
#include "dataplane/base/system_time.h"
#include "monitoring/collector.h"
#include "monitoring/http_endpoint.h"

namespace godwit::gateway {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitConfig = 2;
// How often the certificate's files are looked at, at least.
constexpr int kLookMs = 250;
// A worker that has not answered for so long hangs; who asked hears of it. Chosen: a turn takes
// milliseconds.
constexpr Duration kAnswerWithin = Duration::ms(5'000);

// SIGINT, SIGTERM and SIGHUP as a readable descriptor.
int own_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// The next signal that came; 0: none did.
int signalled(int fd) {
  signalfd_siginfo info{};
  const bool came = ::read(fd, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
  return came ? static_cast<int>(info.ssi_signo) : 0;
}

// The folder of a socket is usually on a tmpfs, and gone after the host has started anew. Its mode
// is the umask's; who may connect says the socket's own.
Result<void> make_folder_of(const std::string& socket) {
  const std::filesystem::path folder = std::filesystem::path(socket).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error) {
    return fail(Code::kIo, "{}: cannot be created: {}", folder.string(), error.message());
  }
  return {};
}

class Daemon {
 public:
  explicit Daemon(Config config) : config_(std::move(config)), caps_(config_) {}

  Result<void> start();
  void run();

 private:
  Result<void> start_metrics();
  std::string answer(std::span<const std::byte> request);
  void take_signals(Instant now);
  bool all_ended() const;
  void tell_all(const Worker::Task& task);

  Config config_;
  LinkCaps caps_;
  int signals_ = own_signals();
  local::Descriptor ended_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};  // a worker has ended
  std::unique_ptr<FileWatch> certificate_files_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<monitoring::Collector> collector_;
  std::unique_ptr<monitoring::HttpEndpoint> http_;
};

Result<void> Daemon::start_metrics() {
  std::vector<const monitoring::Cells*> cells;
  for (const auto& worker : workers_) {
    cells.push_back(&worker->cells());
  }
  collector_ = std::make_unique<monitoring::Collector>(
      monitoring::Identity{config_.site, "0.1.0", "release"}, std::move(cells));
  if (!config_.metrics_port) {
    return {};
  }
  auto http = monitoring::HttpEndpoint::start(*collector_, *config_.metrics_port);
  if (!http) {
    return Failure(http.error());
  }
  http_ = std::make_unique<monitoring::HttpEndpoint>(std::move(*http));
  return {};
}

Result<void> Daemon::start() {
  const auto life = recover_or_begin_incarnation(
      config_.state_dir, config_.durable_dir, static_cast<std::uint32_t>(system_entropy()));
  if (!life) {
    return Failure(life.error());
  }
  for (const std::string& socket : {config_.client, config_.admin}) {
    if (auto made = make_folder_of(socket); !made) {
      return made;
    }
  }
  certificate_files_ = std::make_unique<FileWatch>(
      system_now(), std::vector{config_.authority, config_.certificate, config_.key});
  for (std::uint32_t index = 0; index < config_.workers; ++index) {
    auto worker = Worker::open(config_, {.index = index, .caps = &caps_}, *life);
    if (!worker) {
      return Failure(worker.error());
    }
    workers_.push_back(std::move(*worker));
  }
  if (auto started = start_metrics(); !started) {
    return started;
  }
  auto admin = AdminServer::listen(
      config_.admin, [this](std::span<const std::byte> request) { return answer(request); });
  if (!admin) {
    return Failure(admin.error());
  }
  admin_ = std::move(*admin);
  for (const auto& worker : workers_) {
    worker->start([fd = ended_.get()] {
      const std::uint64_t one = 1;
      static_cast<void>(::write(fd, &one, sizeof(one)));
    });
  }
  return {};
}

void Daemon::tell_all(const Worker::Task& task) {
  for (const auto& worker : workers_) {
    worker->post(task);
  }
}

// Each worker answers for its part.
std::string Daemon::answer(std::span<const std::byte> request) {
  using Answer = std::promise<std::string>;
  const std::vector<std::byte> asked(request.begin(), request.end());
  std::vector<std::future<std::string>> answers;
  for (const auto& worker : workers_) {
    const auto promise = std::make_shared<Answer>();
    answers.push_back(promise->get_future());
    worker->post([promise, asked](Worker& one) { promise->set_value(one.answer(asked)); });
  }
  admin::AdminResponse whole;
  const Instant until = system_now() + kAnswerWithin;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    admin::AdminResponse part;
    const std::chrono::nanoseconds left((until - system_now()).count_ns());
    if (answers[i].wait_for(left) != std::future_status::ready) {
      whole.mutable_error()->set_code(admin::Error::CODE_BUSY);
      whole.mutable_error()->set_text(
          fmt::format("worker {} has not answered for {} s; its thread hangs or has ended",
                      i,
                      kAnswerWithin.to_seconds()));
      break;
    }
    part.ParseFromString(answers[i].get());
    add_answer(whole, part);
  }
  join_parts(whole);
  return whole.SerializeAsString();
}

void Daemon::take_signals(Instant now) {
  while (const int number = signalled(signals_)) {
    if (number == SIGHUP) {
      tell_all([](Worker& worker) { worker.renew_certificate(); });
    } else {
      tell_all([](Worker& worker) { worker.stop(); });
    }
  }
  if (certificate_files_->has_changed(now)) {
    tell_all([](Worker& worker) { worker.renew_certificate(); });
  }
}

bool Daemon::all_ended() const {
  return std::all_of(
      workers_.begin(), workers_.end(), [](const auto& worker) { return worker->has_ended(); });
}

void Daemon::run() {
  while (!all_ended()) {
    std::array<pollfd, 3> wait{
        {{signals_, POLLIN, 0}, {admin_->fd(), POLLIN, 0}, {ended_.get(), POLLIN, 0}}};
    ::poll(wait.data(), wait.size(), kLookMs);
    std::uint64_t count = 0;
    static_cast<void>(::read(ended_.get(), &count, sizeof(count)));
    take_signals(system_now());
    admin_->poll();
  }
  for (const auto& worker : workers_) {
    worker->join();
  }
  log::info("gateway of site {} stops; its state stays in {}", config_.site, config_.state_dir);
}

int run_daemon(int argc, char** argv) {
  CLI::App app{
      "The gateway of one site: queues, merges and ships model updates to the other sites.\n"
      "The same file serves all sites; --site says which one this is."};
  std::string file = "/etc/godwit/godwit.toml";
  std::optional<std::string> site;
  std::optional<std::string> port;
  std::string level = "info";
  bool check = false;
  app.add_option("-c,--config", file, "The configuration file")->capture_default_str();
  app.add_option("--site", site, "This site's name, instead of [self] site");
  app.add_option("--port", port, "uring, epoll or dpdk, instead of [port] kind")
      ->check(CLI::IsMember({"uring", "epoll", "dpdk"}));
  app.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_flag("--check", check, "Check the configuration and the certificate, and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitConfig;
  }
  log::set_level(level == "debug"   ? log::Level::kDebug
                 : level == "warn"  ? log::Level::kWarn
                 : level == "error" ? log::Level::kError
                                    : log::Level::kInfo);
  auto config = load_config(file, {.site = site, .port = port});
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return kExitConfig;
  }
  if (check) {
    if (const auto loaded = load_certificate(*config); !loaded) {
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      return kExitConfig;
    }
    std::printf("%s: good for site %s\n", file.c_str(), config->site.c_str());
    return 0;
  }
  log::set_name(config->site);
  google::protobuf::SetLogHandler(nullptr);  // what cannot be read is refused, and said, by us
  ::prctl(PR_SET_DUMPABLE, 0);
  Daemon daemon(std::move(*config));
  if (auto started = daemon.start(); !started) {
    log::error("{}", started.error().message);
    return kExitFailed;
  }
  daemon.run();
  return 0;
}

}  // namespace
}  // namespace godwit::gateway

int main(int argc, char** argv) {
  return godwit::gateway::run_daemon(argc, argv);
}
