#include "bench/wan/emulator.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "bench/wan/arp.h"
#include "bench/wan/awake.h"
#include "bench/wan/command.h"
#include "bench/wan/control.h"
#include "bench/wan/control_socket.h"
#include "bench/wan/network.h"
#include "bench/wan/site.h"
#include "dataplane/base/log.h"
#include "dataplane/base/system_time.h"

namespace godwit::wan {

namespace {

using Json = nlohmann::ordered_json;

// How many frames one site may send, and how many may be delivered, before others have their turn.
constexpr std::size_t kBurst = 64;

// The kernel may stop the emulator for milliseconds, which no line does. Beyond so much the frames
// that it finds then count as sent evenly over the time that it was away, as many of one site as a
// TAP's queue holds. Chosen: a wake-up of a busy emulator is seldom late by more.
constexpr Duration kAwayMin = Duration::ms(1);
constexpr std::size_t kBacklog = 1000;

// How long the command may go on after SIGTERM before it is killed.
constexpr Duration kCommandGrace = Duration::seconds(5);

constexpr int kFifoPriority = 10;
constexpr Duration kIdleWait = Duration::seconds(1);

Json ready_line(const RunOptions& options, const Plan& plan) {
  const std::string process = "/proc/" + std::to_string(::getpid());
  Json sites = Json::array();
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    const std::string netns =
        process + "/fd/" + std::to_string(kNamespaceDescriptorFirst + static_cast<int>(i));
    Json enter = Json::array({"nsenter"});
    if (options.unprivileged) {
      enter.push_back("--user=" + process + "/ns/user");
      enter.push_back("--preserve-credentials");
    }
    enter.push_back("--net=" + netns);
    enter.push_back("--");
    sites.push_back({{"name", plan.sites[i]},
                     {"address", address_of(i)},
                     {"netns", netns},
                     {"enter", std::move(enter)}});
  }
  return {{"ready", true},
          {"pid", ::getpid()},
          {"unprivileged", options.unprivileged},
          {"socket", std::filesystem::absolute(options.socket).string()},
          {"wan", plan.preset},
          {"unlimited", plan.unlimited},
          {"sites", std::move(sites)}};
}

timespec timespec_of(std::int64_t nanoseconds) {
  return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
}

// Interrupted by no signal: they are all blocked.
void sleep_until(Instant until) {
  const timespec at = timespec_of(until.ns());
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

// The file that says that the emulator is ready; it goes with it.
class ReadyFile {
 public:
  explicit ReadyFile(const std::string& directory)
      : path_(directory.empty() ? "" : directory + "/ready.json") {}
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;
  ~ReadyFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  // Nobody sees half of it.
  Result<bool> write(const std::string& line) {
    if (path_.empty()) {
      return true;
    }
    const std::string partial = path_ + ".partial";
    if (!(std::ofstream(partial) << line << '\n').flush()) {
      return system_failure(partial);
    }
    std::error_code error;
    std::filesystem::rename(partial, path_, error);
    return error ? Result<bool>(fail(Code::kIo, "{}: {}", path_, error.message())) : true;
  }

 private:
  std::string path_;
};

// A child of the shell or of a program may have gone before we asked to be told.
bool tie_to_parent() {
  const auto parent = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  return ::getppid() == parent;
}

void become_punctual() {
  ::prctl(PR_SET_TIMERSLACK, 1);
  sched_param parameters{};
  parameters.sched_priority = kFifoPriority;
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0) {
    log::debug("no SCHED_FIFO here; deliveries may be late when the machine is busy");
  }
}

class Emulator {
 public:
  Emulator(Network network,
           std::vector<Site> sites,
           Descriptor epoll,
           Descriptor signals,
           std::optional<Command> command)
      : network_(std::move(network)),
        sites_(std::move(sites)),
        epoll_(std::move(epoll)),
        signals_(std::move(signals)),
        command_(std::move(command)) {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      site_of_descriptor_[sites_[i].tap_descriptor()] = i;
      watch(sites_[i].tap_descriptor());
    }
    watch(signals_.get());
    coalesce_ = coalesce_for(network_.delay_min());
  }

  // Gives the exit status.
  int run(const RunOptions& options, const Json& ready, ControlSocket& socket) {
    Control control(
        network_,
        options.request,
        ready,
        [this](std::size_t i) { return sites_[i].figures(); },
        system_now());
    const auto answer = [&control](std::string_view line) {
      return control.answer(system_now(), line);
    };
    std::array<epoll_event, 64> events{};
    while (!status_) {
      Instant works_from = system_now();
      const bool more = deliver();
      if (busy_ && !more) {
        works_from = std::max(works_from, woken_ + coalesce_);
        sleep_until(works_from);
      }
      const Instant waits_from = system_now();
      const Instant due = network_.next_wakeup();
      const timespec wait = time_to_wait(more);
      const int count = ::epoll_pwait2(
          epoll_.get(), events.data(), static_cast<int>(events.size()), &wait, nullptr);
      note_wakeup();
      away_ = (waits_from - works_from) + (woken_ - std::clamp(due, waits_from, woken_));
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (const auto site = site_of_descriptor_.find(fd); site != site_of_descriptor_.end()) {
          take_frames(site->second);
        } else if (fd == signals_.get()) {
          on_signal();
        } else {
          socket.on_event(fd, answer);
          coalesce_ = coalesce_for(network_.delay_min());
        }
      }
      if (system_now() >= kill_at_) {
        command_->signal(SIGKILL);
        kill_at_ = Instant::never();
      }
    }
    return *status_;
  }

 private:
  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  // Two wake-ups close together are busy: the next one is put off, so that more is done in it. A
  // lone packet is never put off.
  void note_wakeup() {
    const Instant now = system_now();
    busy_ = now - woken_ < coalesce_ * 2;
    woken_ = now;
  }

  // False when nothing more is due.
  bool deliver() {
    for (std::size_t i = 0; i < kBurst; ++i) {
      const auto delivery = network_.next_delivery(system_now());
      if (!delivery) {
        return false;
      }
      sites_[index(delivery->to)].write_frame(delivery->frame);
    }
    return true;
  }

  void take_frames(std::size_t site) {
    if (away_ > kAwayMin) {
      return take_backlog(site);
    }
    for (std::size_t i = 0; i < kBurst; ++i) {
      const auto frame = sites_[site].read_frame(buffer_);
      if (frame.empty()) {
        return;
      }
      take_frame(system_now(), site, frame);
    }
  }

  void take_backlog(std::size_t site) {
    backlog_.resize(kBacklog);
    std::vector<std::span<std::byte>> frames;
    while (frames.size() < kBacklog) {
      const auto frame = sites_[site].read_frame(backlog_[frames.size()]);
      if (frame.empty()) {
        break;
      }
      frames.push_back(frame);
    }
    const Instant now = system_now();
    const auto count = static_cast<std::int64_t>(frames.size());
    for (std::int64_t i = 0; i < count; ++i) {
      take_frame(now - away_ * (count - 1 - i) / count, site, frames[static_cast<std::size_t>(i)]);
    }
  }

  // It was sent at `at`.
  void take_frame(Instant at, std::size_t site, std::span<std::byte> frame) {
    if (answer_arp(frame, site, sites_.size())) {
      sites_[site].write_frame(frame);
      return;
    }
    const auto to = destination_of(frame, sites_.size());
    const auto from = static_cast<SiteIndex>(site);
    // A frame that fills the buffer was cut short: somebody changed the MTU.
    if (to && *to != from && frame.size() <= kFrameBytesMax) {
      network_.offer(at, from, *to, frame);
    }
  }

  timespec time_to_wait(bool more) const {
    Duration wait = kIdleWait;
    if (const Instant due = network_.next_wakeup(); due != Instant::never()) {
      wait = std::clamp(due - system_now(), Duration::zero(), kIdleWait);
    }
    if (more) {
      wait = Duration::zero();
    }
    return timespec_of(wait.count_ns());
  }

  void on_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) {
      return;
    }
    if (info.ssi_signo == SIGCHLD) {
      if (command_) {
        status_ = command_->exit_status();
      }
      return;
    }
    if (!command_) {
      status_ = 0;
      return;
    }
    command_->signal(SIGTERM);
    kill_at_ = std::min(kill_at_, system_now() + kCommandGrace);
  }

  Network network_;
  std::vector<Site> sites_;
  Descriptor epoll_;
  Descriptor signals_;
  std::optional<Command> command_;
  std::map<int, std::size_t> site_of_descriptor_;
  std::array<std::byte, kFrameBytesMax + 1> buffer_{};
  std::vector<std::array<std::byte, kFrameBytesMax + 1>> backlog_;
  Duration coalesce_;
  Instant woken_;
  bool busy_ = false;
  Duration away_;  // before the last wake-up, when it should have been at work
  std::optional<int> status_;
  Instant kill_at_ = Instant::never();
};

Descriptor block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
    sigaddset(&set, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Failure with_advice(const Error& error) {
  if (error.code != Code::kRefused) {
    return Failure(error);
  }
  return fail(error.code,
              "{}. Run it as root, under `unshare -rUn`, or with --unprivileged (a user namespace "
              "of its own)",
              error.message);
}

}  // namespace

// The share of 1/20 keeps the error of a delay under load below 5 % each way. The bounds: below
// 20 us nothing is saved; from 200 us on an emulator at 100 Mbit/s needs 2.4 times less CPU than
// with a wake-up for each packet (README.md), and no more is to be gained.
Duration coalesce_for(Duration delay_min) {
  return std::clamp(delay_min / 20, Duration::us(20), Duration::us(200));
}

Result<int> run(const RunOptions& options) {
  const auto plan = make_plan(options.request);
  if (!plan) {
    return tl::unexpected(plan.error());
  }
  std::optional<Command> command;
  if (!options.command.empty()) {
    auto forked = Command::fork(options.command);
    if (!forked) {
      return tl::unexpected(forked.error());
    }
    command = std::move(*forked);
  }
  Descriptor signals = block_signals();
  if (options.unprivileged) {
    if (const auto entered = enter_user_namespace(); !entered) {
      return tl::unexpected(entered.error());
    }
  }
  // After the change of credentials, which may clear it.
  if (options.die_with_parent && !tie_to_parent()) {
    return fail(Code::kClosed, "the parent process has gone");
  }
  auto sites = create_sites(plan->sites.size());
  if (!sites) {
    return with_advice(sites.error());
  }
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  auto socket = ControlSocket::listen(options.socket, epoll.get());
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  const Json ready = ready_line(options, *plan);
  const std::string line = ready.dump();
  ReadyFile file(options.directory);
  if (const auto written = file.write(line); !written) {
    return tl::unexpected(written.error());
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  if (command) {
    const auto started = command->start({{"GODWIT_WAN_SOCKET", ready["socket"].get<std::string>()},
                                         {"GODWIT_WAN_PID", std::to_string(::getpid())},
                                         {"GODWIT_WAN_READY", line}});
    if (!started) {
      return tl::unexpected(started.error());
    }
  }
  std::optional<KeepAwake> awake;
  if (!options.may_sleep) {
    awake.emplace();
    if (!awake->holds()) {
      log::debug("processors may sleep here; deliveries may be late on an idle virtual machine");
    }
  }
  become_punctual();
  return Emulator(Network(*plan, options.seed),
                  std::move(*sites),
                  std::move(epoll),
                  std::move(signals),
                  std::move(command))
      .run(options, ready, *socket);
}

}  // namespace godwit::wan
