#include "dataplane/port/epoll/await_epoll.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace godwit::port {

std::size_t await_epoll(const Descriptor& epoll, std::span<epoll_event> events, Duration at_most) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMillisecond = 1'000'000;
  const std::int64_t ns = std::max<std::int64_t>(at_most.count_ns(), 0);
  const timespec time{ns / kSecond, ns % kSecond};
  const auto most = static_cast<int>(events.size());
  int count = ::epoll_pwait2(epoll.get(), events.data(), most, &time, nullptr);
  if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
    const std::int64_t ms = ns / kMillisecond + (ns % kMillisecond != 0 ? 1 : 0);
    count = ::epoll_wait(
        epoll.get(), events.data(), most, static_cast<int>(std::min<std::int64_t>(ms, 1'000'000)));
  }
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace godwit::port
