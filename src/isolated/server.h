// The daemon's loop: one thread that never waits for anybody. All that may take long is done by children.
#pragma once

#include <string>

#include "isolated/connections.h"
#include "isolated/listener.h"
#include "isolated/pool_keeper.h"
#include "linux/lock.h"

namespace isolate {

class Server {
 public:
  // `main_store`: a directory, made if it is missing. Errors: this is not root; there is no group `isolate`; another
  // daemon runs.
  static Result<Server> make(const std::string& main_store);

  // Until SIGTERM or SIGINT. What is being done then is brought to its end, within ten seconds.
  Result<void> run();

 private:
  using Clock = std::chrono::steady_clock;
  Server(FileLock alone, Fd signals, Listener listener, Connections connections, PoolKeeper pools)
      : alone_(std::move(alone)),
        signals_(std::move(signals)),
        listener_(std::move(listener)),
        connections_(std::move(connections)),
        pools_(std::move(pools)) {}
  // Waits until something is to be done, at most until `deadline`; true when a signal to end has come.
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
