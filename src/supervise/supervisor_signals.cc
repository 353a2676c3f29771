// Which signals wait until the supervisor's command has started.
#include <utility>

#include "linux/held_signals.h"
#include "linux/signal_reset.h"
#include "supervise/supervisor.h"

namespace isolate {

bool Supervisor::keeps_for_command(int signal) {
  if (!has_signal(signals_of_caller().blocked, signal)) return false;
  kept_signals_ |= std::uint64_t{1} << (signal - 1);
  return true;
}

void Supervisor::send_kept_signals() {
  const auto kept = std::exchange(kept_signals_, 0);
  for (const int number : kHeldSignals) {
    if (has_signal(kept, number)) send_signal(number);
  }
}

}  // namespace isolate
