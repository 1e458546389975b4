// The answers of a gateway as text for people, and the verdict that becomes the exit status.
//
// Problems come first, each with its stable reason and the command to type next.
#pragma once

#include <string>

#include "api/cli/exit_code.h"
#include "api/proto/admin.pb.h"

namespace godwit::cli {

std::string to_text(const admin::StatusReport& report);
std::string to_text(const admin::TopicsReport& report);
std::string to_text(const admin::LinksReport& report);
std::string to_text(const admin::PortReport& report);
std::string to_text(const admin::LedgerReport& report);
std::string to_text(const admin::ExplainReport& report);
std::string to_text(const admin::PeersReport& report);
std::string to_text(const admin::StopReport& report);

// kUnhealthy when a status has problems or a defect, a link is not up, a peer is not connected, or
// a ledger does not balance.
ExitCode verdict(const admin::AdminResponse& response);

}  // namespace godwit::cli
