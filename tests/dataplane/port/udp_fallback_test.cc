// A kernel that refuses io_uring: forbidden for real, by a seccomp filter in a child process.

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

// From now on io_uring_setup fails with `error` in this process, as it does in a container whose
// filter forbids it (EPERM, ENOSYS) and under kernel.io_uring_disabled = 2 (EPERM).
bool forbid_io_uring(unsigned error) {
  std::array<sock_filter, 4> program{{
      {.code = BPF_LD | BPF_W | BPF_ABS, .jt = 0, .jf = 0, .k = offsetof(seccomp_data, nr)},
      {.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 1, .k = SYS_io_uring_setup},
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
  if (!forbid_io_uring(error)) {
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

}  // namespace
}  // namespace godwit::port
