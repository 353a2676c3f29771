#include "acquire/reaper.h"

#include <poll.h>

#include "base/log.h"

namespace isolate {

bool Reaper::start(Pool* pool) {
  if (auto abandoned = pool->has_abandoned(); !abandoned || !*abandoned) return false;
  auto child = fork_child(0, [pool] {
    const auto report = pool->reap(ReapLimits::patient());
    const auto outcome = report ? report->failure : Result<void>(fail(report.error()));
    if (!outcome) log::warning("remove abandoned clones: " + outcome.error().message());
    return 0;
  });
  if (child) child_ = std::move(*child);  // if fork failed, the next run tries again
  return true;
}

void Reaper::end() {
  constexpr int kMostMilliseconds = 2000;
  if (!child_.running()) return;
  pollfd end{child_.pidfd(), POLLIN, 0};
  ::poll(&end, 1, kMostMilliseconds);
  child_.kill_and_reap();
}

}  // namespace isolate
