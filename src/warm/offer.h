// WarmOffer: offers a warm guest to the runs of the same user, and receives the request of the one that takes it.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "join/exec_listener.h"
#include "linux/epoll.h"
#include "supervise/remote_caller.h"
#include "warm/begin_request.h"

namespace isolate {

// The request and the descriptors that a run has sent to take the guest.
struct TakenBy {
  BeginRequest request;
  std::array<Fd, 3> streams;  // accept() receives these two
  Fd status;                  // empty: the run has no --status-fd
  RemoteCaller caller;
};

class WarmOffer {
 public:
  // Puts a socket where runs with this profile look. Errors: ENOENT another run has removed `place`; those of
  // listening.
  static Result<WarmOffer> open(RunsDirectory place, const std::string& profile, const std::string& clone_id);
  WarmOffer(WarmOffer&&) noexcept = default;
  WarmOffer& operator=(WarmOffer&&) = delete;
  ~WarmOffer();

  // Becomes readable when there is something for receive() to do.
  int fd() const { return sources_.fd(); }
  // Accepts runs that ask for the guest, and receives the request of one of them, without waiting. Nothing: there is
  // none that can be used. A run whose request can't be used has been told.
  std::optional<TakenBy> receive();
  // Whether runs still find the offer.
  bool is_in_place() const;
  // Tells a run that it gets the guest, and receives its streams; or tells it why it does not get the guest. Errors:
  // the run has ended, or has waited too long for an answer.
  static Result<void> accept(TakenBy* taken);
  static void refuse(const TakenBy& taken, const Error& reason);

 private:
  WarmOffer(RunsDirectory place, Fd directory, Fd socket, Epoll sources, std::string profile, std::string name)
      : place_(std::move(place)),
        directory_(std::move(directory)),
        socket_(std::move(socket)),
        sources_(std::move(sources)),
        profile_(std::move(profile)),
        name_(std::move(name)) {}

  void accept_one();

  RunsDirectory place_;
  Fd directory_;  // that of the profile, in `place_`
  Fd socket_;
  Epoll sources_;           // the socket and `waiting_`
  std::deque<Fd> waiting_;  // connections from which no request has come yet
  std::string profile_;
  std::string name_;
};

}  // namespace isolate
