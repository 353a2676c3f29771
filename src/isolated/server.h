// The daemon's main loop: a single thread that never blocks. Children do everything that may take long.
#pragma once

#include <string>

#include "isolated/connections.h"
#include "isolated/listener.h"
#include "isolated/pool_keeper.h"
#include "linux/lock.h"

namespace isolate {

class Server {
 public:
  // `main_store` is a directory, which is created if it is missing. Errors: this process is not root; there is no group
  // `isolate`; another daemon runs.
  static Result<Server> make(const std::string& main_store);

  // Runs until SIGTERM or SIGINT. Then waits up to ten seconds for work in progress.
  Result<void> run();

 private:
  using Clock = std::chrono::steady_clock;
  Server(FileLock alone, Fd signals, Listener listener, Connections connections, PoolKeeper pools)
      : alone_(std::move(alone)),
        signals_(std::move(signals)),
        listener_(std::move(listener)),
        connections_(std::move(connections)),
        pools_(std::move(pools)) {}
  // Waits until there is something to do, at most until `deadline`. Returns true if a signal asks to end.
  Result<bool> wait(Clock::time_point deadline);
  void accept_all();
  Result<void> finish();

  FileLock alone_;
  Fd signals_;
  Listener listener_;
  Connections connections_;
  PoolKeeper pools_;
  Clock::time_point accept_again_{};
};

}  // namespace isolate
