#include "bench/wan/awake.h"

#include <cstdint>

#include <fcntl.h>

namespace godwit::wan {

KeepAwake::KeepAwake() : request_(::open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)) {
  constexpr std::int32_t kLatencyUs = 0;
  if (request_.valid() &&
      ::write(request_.get(), &kLatencyUs, sizeof(kLatencyUs)) != sizeof(kLatencyUs)) {
    request_ = Descriptor();
  }
}

}  // namespace godwit::wan
