// A kernel that refuses io_uring, or has an older epoll: forbidden for real, by a seccomp filter in
// a child process.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/base/system_time.h"
#include "dataplane/port/udp.h"

namespace godwit::port {
namespace {

// From now on a system call fails with `error` in this process, as it does in a container whose
// filter forbids it (EPERM, ENOSYS), where the kernel does not know it (ENOSYS) and, of io_uring,
// under kernel.io_uring_disabled = 2 (EPERM).
bool forbid(unsigned call, unsigned error) {
  std::array<sock_filter, 4> program{{
      {.code = BPF_LD | BPF_W | BPF_ABS, .jt = 0, .jf = 0, .k = offsetof(seccomp_data, nr)},
      {.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 1, .k = call},
      {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ERRNO | error},
      {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ALLOW},
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// The exit status of a child that opens a port under the filter and speaks with itself through it:
// 0 when that was epoll and the datagram came back.
[[noreturn]] void speak_without_io_uring(unsigned error, UdpEngine engine) {
  if (!forbid(SYS_io_uring_setup, error)) {
    ::_exit(10);
  }
  auto port = make_udp_port({.local = Peer::parse("127.0.0.1:0").value(), .engine = engine});
  if (!port) {
    std::fprintf(stderr, "%s\n", port.error().message.c_str());
    ::_exit(port.error().code == Code::kUnsupported ? 11 : 12);
  }
  if (std::string_view((*port)->capabilities().name) != "epoll") {
    ::_exit(13);
  }
  std::array<std::byte, 100> bytes{};
  const Train train{.peer = (*port)->local(), .segment_bytes = 100, .bytes = bytes};
  (*port)->transmit(system_now(), {&train, 1});
  std::array<Train, 1> out{};
  for (int attempt = 0; attempt < 100; ++attempt) {
    if ((*port)->receive(system_now(), out) == 1) {
      ::_exit(out[0].bytes.size() == bytes.size() ? 0 : 14);
    }
    (*port)->wait(Duration::ms(20));
  }
  ::_exit(15);
}

TEST(UdpFallbackDeathTest, ForbiddenIoUringIsSaidAndEpollTakesOver) {
  EXPECT_EXIT(speak_without_io_uring(EPERM, UdpEngine::kAutomatic),
              ::testing::ExitedWithCode(0),
              "no io_uring: Operation not permitted; using epoll");
}

TEST(UdpFallbackDeathTest, AbsentIoUringIsSaidAndEpollTakesOver) {
  EXPECT_EXIT(speak_without_io_uring(ENOSYS, UdpEngine::kAutomatic),
              ::testing::ExitedWithCode(0),
              "no io_uring: " + error_text(ENOSYS) + "; using epoll");
}

TEST(UdpFallbackDeathTest, WhoInsistsOnIoUringIsToldThatThereIsNone) {
  EXPECT_EXIT(speak_without_io_uring(EPERM, UdpEngine::kUring),
              ::testing::ExitedWithCode(11),
              "no io_uring: Operation not permitted");
}

// The exit status of a child: 0 when it waits as long as it was told to, and is woken.
[[noreturn]] void wait_without_epoll_pwait2(unsigned error) {
  if (!forbid(SYS_epoll_pwait2, error)) {
    ::_exit(10);
  }
  auto port =
      make_udp_port({.local = Peer::parse("127.0.0.1:0").value(), .engine = UdpEngine::kEpoll});
  if (!port) {
    ::_exit(11);
  }
  const Instant begin = system_now();
  (*port)->wait(Duration::us(20'300));
  if (system_now() - begin < Duration::us(20'300)) {
    ::_exit(12);
  }
  (*port)->wake();
  (*port)->wait(Duration::seconds(60));
  ::_exit(0);
}

TEST(EpollDeathTest, WaitsWhereTheKernelKnowsMillisecondsAlone) {
  EXPECT_EXIT(wait_without_epoll_pwait2(ENOSYS), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(wait_without_epoll_pwait2(EPERM), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace godwit::port
