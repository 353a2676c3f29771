// FurtherCommands: receives requests for further commands in the guest while the supervisor waits for the first
// command.
#pragma once

#include <poll.h>

#include <array>

namespace isolate {

class FurtherCommands {
 public:
  static constexpr std::size_t kMostWaiting = 7;  // connections that have not sent a request yet
  static constexpr std::size_t kSources = 1 + kMostWaiting;
  using Sources = std::array<pollfd, kSources>;

  FurtherCommands() = default;
  FurtherCommands(const FurtherCommands&) = default;
  FurtherCommands(FurtherCommands&&) = default;
  FurtherCommands& operator=(const FurtherCommands&) = default;
  FurtherCommands& operator=(FurtherCommands&&) = default;
  virtual ~FurtherCommands() = default;

  // The descriptors to wait for with poll(2). Unused entries have the descriptor -1.
  virtual Sources sources() const = 0;
  // Handles the entries that poll(2) has marked as ready, without waiting. `control` is the socket to isolate-init.
  virtual void serve(const Sources& answered, int control) = 0;

  static Sources no_sources() {
    Sources sources{};
    sources.fill({-1, POLLIN, 0});
    return sources;
  }
};

}  // namespace isolate
