// Epoll: waits for several descriptors (epoll(7)). Its own descriptor is readable while one of them has an event, so it
// can stand for all of them among other descriptors.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class Epoll {
 public:
  static Result<Epoll> make();

  int fd() const { return fd_.get(); }
  // `events` are EPOLLIN and the like; the kernel reports EPOLLERR and EPOLLHUP in any case. Errors: EPERM the
  // descriptor is a regular file, for which nobody can wait.
  Result<void> add(int descriptor, std::uint32_t events, std::uint64_t mark = 0) const;
  // Returns some of the events that are there, without waiting.
  std::vector<epoll_event> ready() const;

 private:
  explicit Epoll(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace isolate
