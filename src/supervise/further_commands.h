// Where requests for further commands in the guest arrive while the supervisor waits for the first one.
#pragma once

#include <poll.h>

#include <array>

namespace isolate {

class FurtherCommands {
 public:
  static constexpr std::size_t kMostWaiting = 7;  // connections of which no request has come yet
  static constexpr std::size_t kSources = 1 + kMostWaiting;
  using Sources = std::array<pollfd, kSources>;

  FurtherCommands() = default;
  FurtherCommands(const FurtherCommands&) = default;
  FurtherCommands(FurtherCommands&&) = default;
  FurtherCommands& operator=(const FurtherCommands&) = default;
  FurtherCommands& operator=(FurtherCommands&&) = default;
  virtual ~FurtherCommands() = default;

  // What to wait for with poll(2); entries without work have the descriptor -1.
  virtual Sources sources() const = 0;
  // What to do once poll(2) has answered. `control` is the socket to isolate-init. It waits for nobody.
  virtual void serve(const Sources& answered, int control) = 0;

  static Sources no_sources() {
    Sources sources{};
    sources.fill({-1, POLLIN, 0});
    return sources;
  }
};

}  // namespace isolate
