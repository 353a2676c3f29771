#include "run/clone_reaper.h"

#include <poll.h>

#include "base/log.h"

namespace isolate {

void CloneReaper::start(Pool* pool) {
  if (pool == nullptr) return;
  if (auto abandoned = pool->has_abandoned(); !abandoned || !*abandoned) return;
  auto reaper = fork_child(0, [pool] {
    auto reaped = pool->reap();
    if (!reaped) log::warning("remove abandoned clones: " + reaped.error().message());
    return 0;
  });
  if (reaper) child_ = std::move(*reaper);
}

void CloneReaper::finish() {
  constexpr int kMostMilliseconds = 2000;
  if (!child_.running()) return;
  pollfd end{child_.pidfd(), POLLIN, 0};
  ::poll(&end, 1, kMostMilliseconds);
  child_.kill_and_reap();
}

}  // namespace isolate
