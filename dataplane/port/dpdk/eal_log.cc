#include "dataplane/port/dpdk/eal_log.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include <rte_log.h>

#include "dataplane/base/log.h"

namespace godwit::port {
namespace {

thread_local std::string first_complaint;
thread_local bool is_quiet = false;

// One call is one message: DPDK flushes after each.
ssize_t on_message(void*, const char* text, std::size_t bytes) {
  std::string_view message(text, bytes);
  while (message.ends_with('\n')) {
    message.remove_suffix(1);
  }
  const int level = rte_log_cur_msg_loglevel();
  const bool is_complaint = level > 0 && level <= static_cast<int>(RTE_LOG_WARNING);
  if (is_complaint && first_complaint.empty()) {
    first_complaint = message;
  }
  if (!is_quiet && level > 0 && level <= static_cast<int>(RTE_LOG_ERR)) {
    log::warn("DPDK: {}", message);
  } else {
    log::debug("DPDK: {}", message);
  }
  return static_cast<ssize_t>(bytes);
}

}  // namespace

void capture_eal_log() {
  cookie_io_functions_t functions{};
  functions.write = &on_message;
  std::FILE* stream = ::fopencookie(nullptr, "w", functions);
  if (stream != nullptr) {
    rte_openlog_stream(stream);
  }
}

std::string take_eal_complaint() {
  return std::exchange(first_complaint, {});
}

QuietEal::QuietEal() {
  is_quiet = true;
}

QuietEal::~QuietEal() {
  is_quiet = false;
  first_complaint.clear();
}

}  // namespace godwit::port
