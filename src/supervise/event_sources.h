// EventSources: the descriptors on which the supervisor waits with poll(2), each with a name.
#pragma once

#include <poll.h>

#include <algorithm>
#include <array>

#include "supervise/further_commands.h"
#include "supervise/terminal_relay.h"

namespace isolate {

struct EventSources {
  enum Own : std::size_t {
    control,      // messages from isolate-init
    report,       // text from the launcher and the engine
    signals,      // signals to isolate
    engine,       // the end of the engine
    command_end,  // the end of the command, as the kernel sees it
    caller,       // signals that the run has got which has taken this guest
    awaited,      // what wait_for() waits for
    kOwn,
  };

  std::array<int, kOwn> own{-1, -1, -1, -1, -1, -1, -1};  // descriptors; -1: not waited for
  TerminalRelay::Sources terminal = TerminalRelay(nullptr).sources();
  FurtherCommands::Sources requests = FurtherCommands::no_sources();

  // Waits until one is ready. The result, errno and the time in milliseconds are those of poll(2).
  int wait(int milliseconds) {
    std::array<pollfd, kOwn + TerminalRelay::kSources + FurtherCommands::kSources> all{};
    auto end = std::transform(own.begin(), own.end(), all.begin(), [](int fd) { return pollfd{fd, POLLIN, 0}; });
    end = std::copy(terminal.begin(), terminal.end(), end);
    std::copy(requests.begin(), requests.end(), end);
    const int count = ::poll(all.data(), all.size(), milliseconds);
    for (std::size_t i = 0; i < kOwn; ++i) is_ready_[i] = all[i].revents != 0;
    std::copy_n(all.begin() + kOwn, terminal.size(), terminal.begin());
    std::copy_n(all.end() - requests.size(), requests.size(), requests.begin());
    return count;
  }
  bool is_ready(Own source) const { return is_ready_[source]; }

 private:
  std::array<bool, kOwn> is_ready_{};
};

}  // namespace isolate
