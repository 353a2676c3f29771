#include "launch/shown_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "base/fd.h"
#include "launch/copier_wait.h"

namespace isolate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostShown = 1 << 30;  // more than any pipe has room for
constexpr int kLeastPause = 1;               // milliseconds
constexpr int kMostPause = 100;
constexpr std::size_t kLeastToSpare = 4096;
constexpr std::chrono::milliseconds kMostNap{2};

// Tells when a pipe is read from. poll(2) does that only for a full pipe, but with O_ASYNC each read sends the writer a
// signal (since Linux 5.14, and in the stable kernels before). inotify(7) tells it as well, but an instance of that
// takes ten milliseconds to close, and a user has few.
class ReadWatch {
 public:
  explicit ReadWatch(int writer) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGIO);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    signals_ = Fd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
    ::fcntl(writer, F_SETOWN, ::getpid());
    ::fcntl(writer, F_SETFL, O_NONBLOCK | O_ASYNC);
  }

  int descriptor() const { return signals_.get(); }
  // Makes the descriptor wait for the next read.
  void forget() const {
    signalfd_siginfo signal{};
    [[maybe_unused]] const auto got = ::read(signals_.get(), &signal, sizeof signal);
  }

 private:
  Fd signals_;
};

class ShownPipe {
 public:
  explicit ShownPipe(const StreamCopy& copy)
      : copy_(copy), watch_(copy.to), sink_(::open("/dev/null", O_WRONLY | O_CLOEXEC)) {}

  int run() {
    int error = sink_ ? 0 : errno;
    while (!is_over_ && error == 0 && !has_ended()) error = step();
    ::close(copy_.to);
    while (!has_ended()) wait_for(copy_, &ends_, -1, 0);
    take_what_was_read(drain());
    return error;
  }

 private:
  bool has_ended() const { return ends_.run || ends_.parent; }

  // tee(2) always begins with the first byte in the caller's pipe, so it can show more only once all is taken that it
  // has shown.
  int step() {
    if (shown_ == 0) return show();
    watch_.forget();
    const auto before = shown_;
    take_what_was_read(unread());
    if (shown_ == 0) return 0;
    if (const int nap = time_to_spare(before - shown_); nap > 0) {
      wait_for(copy_, &ends_, -1, 0, nap);
    } else {
      wait_for_reader();
    }
    return 0;
  }

  // A guest that reads byte by byte need not wake this process each time. Returns for how many milliseconds it will not
  // have read half of the rest at its pace since the last look, when it took `taken`.
  int time_to_spare(std::size_t taken) {
    const auto now = Clock::now();
    const auto pace = std::exchange(last_look_, now);
    if (taken == 0 || shown_ < kLeastToSpare) return 0;
    const auto rest = (now - pace) * (shown_ / taken) / 2;
    return static_cast<int>(std::min(std::chrono::duration_cast<std::chrono::milliseconds>(rest), kMostNap).count());
  }

  int show() {
    // A guest that opens its pipe for writing may have filled it.
    if ((wait_for(copy_, &ends_, copy_.to, POLLOUT) & POLLOUT) == 0 || has_ended()) return 0;
    const short data = wait_for(copy_, &ends_, copy_.from, POLLIN);
    if ((data & (POLLIN | POLLHUP)) == 0 || has_ended()) return 0;
    const ssize_t shown = ::tee(copy_.from, copy_.to, kMostShown, SPLICE_F_NONBLOCK);
    if (shown < 0) return is_transient(errno) ? 0 : errno;
    shown_ = static_cast<std::size_t>(shown);
    last_look_ = Clock::now();
    // Nobody has the other end. A zero alone may also mean that another reader was faster.
    is_over_ = shown == 0 && (data & (POLLIN | POLLHUP)) == POLLHUP;
    return 0;
  }

  // Looks again after a while, whatever the watch says: the kernel need not report each splice(2) of a part of a page.
  void wait_for_reader() {
    wait_for(copy_, &ends_, watch_.descriptor(), POLLIN, pause_);
    pause_ = std::min(2 * pause_, kMostPause);
  }

  std::size_t unread() const {
    int left = 0;
    return ::ioctl(copy_.guests, FIONREAD, &left) == 0 ? static_cast<std::size_t>(left) : 0;
  }

  // Empties the guest's pipe, and returns how much was in it. A process of the guest that still reads gets a byte or
  // does not: none is left in the caller's pipe that it has read.
  std::size_t drain() const { return shown_ > 0 ? discard(copy_.guests, shown_) : 0; }

  void take_what_was_read(std::size_t unread) {
    // A guest that opens its pipe for writing has put more into it.
    const auto taken = shown_ - std::min(unread, shown_);
    if (taken == 0) return;
    discard(copy_.from, taken);
    shown_ -= taken;
    pause_ = kLeastPause;
  }

  // Returns how much of `most` there was.
  std::size_t discard(int pipe, std::size_t most) const {
    std::size_t done = 0;
    while (done < most) {
      const ssize_t moved = ::splice(pipe, nullptr, sink_.get(), nullptr, most - done, SPLICE_F_NONBLOCK);
      if (moved < 0 && errno == EINTR) continue;
      if (moved <= 0) break;
      done += static_cast<std::size_t>(moved);
    }
    return done;
  }

  const StreamCopy& copy_;
  CopyEnds ends_;
  ReadWatch watch_;
  Fd sink_;
  std::size_t shown_ = 0;  // bytes that are in the caller's pipe, and have been in the guest's
  int pause_ = kLeastPause;
  Clock::time_point last_look_ = Clock::now();
  bool is_over_ = false;
};

}  // namespace

int show_pipe(const StreamCopy& copy) {
  follow_parent();
  return ShownPipe(copy).run();
}

}  // namespace isolate
