// Running programs inside a site of an emulator that another process runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace godwit::wan {

// Moves this process into the site and replaces it by `command`; comes back only on failure.
Error execute_in_site(const std::string& socket,
                      std::string_view site,
                      const std::vector<std::string>& command);

}  // namespace godwit::wan
