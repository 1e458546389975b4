// The wish to end, set by SIGTERM, SIGINT or the death of the process that started this one.
#pragma once

namespace godwit::trainer {

// Installs the handlers. SIGTERM also comes when the parent ends, so that nothing is left behind.
void stop_on_signals();

bool stop_wanted();

}  // namespace godwit::trainer
