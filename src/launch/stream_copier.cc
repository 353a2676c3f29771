#include "launch/stream_copier.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "launch/copier_wait.h"

namespace isolate {
namespace {

constexpr std::size_t kPortion = 1 << 20;    // the most that one call moves
constexpr std::size_t kBuffer = 1 << 16;     // for everything that is not spliced
constexpr std::size_t kMessage = 1 << 18;    // what does not fit is lost, since a message can't be read in parts
constexpr std::size_t kSmallPortion = 4096;  // what a device that is ready takes without blocking

// A write to a device may block whatever poll says of it. It is broken off every half a second, to look around.
void break_off_regularly() {
  const int signal = SIGRTMIN;
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signal;
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return;
  constexpr timespec kInterval{0, 500'000'000};
  const itimerspec regularly{kInterval, kInterval};
  ::timer_settime(timer, 0, &regularly, nullptr);
}

// How a copier moves bytes out of the caller's stream or into it.
enum class Way {
  splice,   // pipes: the kernel moves them by itself
  copy,     // files: through a buffer, because read(2) and write(2) lock the file's position and splice(2) does not
  message,  // sockets: through a buffer, with calls that never block
  byte,     // devices: in small portions, because a larger one may block
};

Way way_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return Way::byte;
  if (S_ISSOCK(status.st_mode)) return Way::message;
  if (S_ISFIFO(status.st_mode)) return Way::splice;
  return S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) ? Way::copy : Way::byte;
}

// How many bytes one call reads at most.
std::size_t most_at_a_time(Way way) {
  return way == Way::byte ? kSmallPortion : way == Way::message ? kMessage : kBuffer;
}

// The bytes that a copier has read from one side and has not written to the other side yet.
class Pending {
 public:
  bool empty() const { return begin_ == end_; }
  const char* data() const { return bytes_.get() + begin_; }
  std::size_t size() const { return end_ - begin_; }

  // Calls `read(buffer, size)`, which returns the number of bytes, or -1 with errno set. `size` is at most `most`.
  // The buffer is not cleared first, so only the pages that `read` fills take up memory.
  template <typename Read>
  ssize_t fill(std::size_t most, const Read& read) {
    if (!bytes_) bytes_ = std::make_unique_for_overwrite<char[]>(kMessage);
    const ssize_t got = read(bytes_.get(), std::min(most, kMessage));
    begin_ = 0;
    end_ = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    return got;
  }
  void drop(ssize_t written) { begin_ += static_cast<std::size_t>(std::max<ssize_t>(written, 0)); }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class Input {
 public:
  explicit Input(const StreamCopy& copy) : copy_(copy), way_(way_of(copy.from)) {}

  int run() {
    int error = 0;
    while (!is_over_ && error == 0 && !has_ended()) error = step();
    ::close(copy_.to);
    // The guest goes on with what is in the pipe.
    while (!has_ended()) wait_for(copy_, &ends_, -1, 0);
    // Who has not read what there was does not miss the rest.
    return give_back() > 0 ? 0 : error;
  }

 private:
  bool has_ended() const { return ends_.run || ends_.parent; }

  // Moves a portion. Returns an errno for what can't be read.
  int step() {
    if ((wait_for(copy_, &ends_, copy_.to, POLLOUT) & POLLOUT) == 0 || has_ended()) return 0;
    if (!pending_.empty()) return write_pending();
    if (wait_for(copy_, &ends_, copy_.from, POLLIN) == 0 || has_ended()) return 0;
    const ssize_t got = way_ == Way::splice ? splice() : read();
    if (got < 0) return is_transient(errno) ? 0 : errno;
    if (got == 0) is_over_ = true;
    taken_ += got;
    return 0;
  }

  ssize_t splice() {
    const ssize_t moved = ::splice(copy_.from, nullptr, copy_.to, nullptr, kPortion, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved >= 0 || errno != EINVAL) return moved;
    way_ = Way::copy;  // a notification pipe (pipe(2), O_NOTIFICATION_PIPE), which splice(2) refuses
    return read();
  }

  ssize_t read() {
    const ssize_t got = pending_.fill(most_at_a_time(way_), [&](char* to, std::size_t most) {
      return way_ == Way::message ? ::recv(copy_.from, to, most, MSG_DONTWAIT) : ::read(copy_.from, to, most);
    });
    // A peer that has gone away, or the other side of a terminal, is the end of what comes from there.
    return got < 0 && (errno == ECONNRESET || (errno == EIO && way_ == Way::byte)) ? 0 : got;
  }

  int write_pending() {
    pending_.drop(::write(copy_.to, pending_.data(), pending_.size()));
    return 0;
  }

  // Returns how much the guest has not read.
  ssize_t give_back() const {
    int left = 0;
    if (::ioctl(copy_.guests, FIONREAD, &left) != 0) left = 0;
    // A guest that can open the pipe for writing has put more into it.
    const auto unread = std::min<ssize_t>(left + static_cast<ssize_t>(pending_.size()), taken_);
    // What can't seek keeps nothing, and there is nobody to tell.
    if (unread > 0) ::lseek(copy_.from, -unread, SEEK_CUR);
    return unread;
  }

  const StreamCopy& copy_;
  Way way_;
  CopyEnds ends_;
  Pending pending_;
  ssize_t taken_ = 0;
  bool is_over_ = false;
};

class Output {
 public:
  explicit Output(const StreamCopy& copy) : copy_(copy), way_(way_of(copy.to)) {
    if (way_ == Way::byte) break_off_regularly();
    struct stat status {};
    if (::fstat(copy.to, &status) != 0) return;
    is_always_ready_ = S_ISREG(status.st_mode) || S_ISBLK(status.st_mode);
    is_pipe_ = S_ISFIFO(status.st_mode);
    keeps_boundaries_ = is_pipe_ && (::fcntl(copy.to, F_GETFL) & O_DIRECT) != 0;
  }

  int run() {
    int error = 0;
    while (error == 0 && !(pending_.empty() && (has_ended_ || left_ == 0))) {
      error = pending_.empty() ? take() : write_pending();
    }
    // As in one pipe: what nobody has read is lost, and only who writes afterwards gets an error.
    return is_pipe_ && error == EPIPE ? 0 : error;
  }

 private:
  // Takes a portion out of the pipe, and moves it on where one call does both.
  int take() {
    if (!ends_.run) {
      // A reader who goes is noticed before the guest writes again, which may be waiting for that.
      const short data = wait_for(copy_, &ends_, copy_.from, POLLIN, -1, is_pipe_ ? copy_.to : -1);
      if (ends_.run) return note_what_is_left();
      if ((data & (POLLIN | POLLHUP)) == 0) return has_no_reader() ? EPIPE : 0;
    }
    if (way_ == Way::splice) {
      if (const int error = wait_for_room(); error != 0 || !has_room_) return error;
      // A short write to a pipe happens as a whole or not at all (pipe(7), PIPE_BUF). So what the guest has written in
      // one piece stays in one piece.
      if (const auto size = small_size(); size > 0) return read(size);
      return count(
          ::splice(copy_.from, nullptr, copy_.to, nullptr, portion(kPortion), SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    }
    return read(portion(most_at_a_time(way_)));
  }

  int read(std::size_t most) {
    return count(pending_.fill(most, [&](char* to, std::size_t size) { return ::read(copy_.from, to, size); }));
  }

  bool has_no_reader() const {
    pollfd sink{copy_.to, 0, 0};
    return is_pipe_ && ::poll(&sink, 1, 0) == 1 && (sink.revents & POLLERR) != 0;
  }

  // Each splice would take up at least one of the pages that a pipe has, however little is in it. What is written is
  // added to the last page, so a pipe that nobody reads yet holds as much as one that the guest had itself.
  std::size_t small_size() const {
    int size = 0;
    if (!is_pipe_ || keeps_boundaries_ || ::ioctl(copy_.from, FIONREAD, &size) != 0) return 0;
    return size <= PIPE_BUF ? portion(static_cast<std::size_t>(size)) : 0;
  }

  int note_what_is_left() {
    int left = 0;
    if (::ioctl(copy_.from, FIONREAD, &left) != 0) left = 0;
    left_ = left;
    return 0;
  }

  std::size_t portion(std::size_t most) const {
    return left_ >= 0 ? std::min(most, static_cast<std::size_t>(left_)) : most;
  }

  int count(ssize_t moved) {
    if (moved < 0 && !is_transient(errno)) return errno;
    // A guest that can open the pipe for reading may have taken from it.
    if (moved < 0 && left_ > 0) return note_what_is_left();
    if (moved == 0) has_ended_ = true;
    if (left_ > 0) left_ -= std::max<ssize_t>(moved, 0);
    return 0;
  }

  int wait_for_room() {
    has_room_ = is_always_ready_;
    if (has_room_) return 0;
    const bool knew_of_end = ends_.run;
    const short room = wait_for(copy_, &ends_, copy_.to, POLLOUT);
    if (!knew_of_end && ends_.run) return note_what_is_left();
    if (room == POLLNVAL) return ETIMEDOUT;
    has_room_ = room != 0;  // an error shows with the next call
    return 0;
  }

  int write_pending() {
    // Not all sockets and devices that take something say so to poll: these are asked only after they have refused.
    const bool may_refuse = way_ == Way::message || way_ == Way::byte;
    if (!may_refuse || std::exchange(was_refused_, false)) {
      if (const int error = wait_for_room(); error != 0) return error;
      // The timer breaks this off as well.
      if (!has_room_) return may_refuse ? note_refusal(EAGAIN) : 0;
    }
    const ssize_t written = write_some();
    if (written < 0) return is_transient(errno) ? note_refusal(errno) : errno;
    pending_.drop(written);
    refused_since_.reset();
    return 0;
  }

  ssize_t write_some() {
    if (way_ == Way::message) return ::send(copy_.to, pending_.data(), pending_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (is_pipe_) {
      // Another program may have filled the pipe since it had room.
      const iovec piece{const_cast<char*>(pending_.data()), pending_.size()};
      const ssize_t written = ::pwritev2(copy_.to, &piece, 1, -1, RWF_NOWAIT);
      if (written >= 0 || errno != EOPNOTSUPP) return written;
    }
    return ::write(copy_.to, pending_.data(), pending_.size());
  }

  // Nothing was written now, whatever poll says. Returns ETIMEDOUT when that goes on in a hurry.
  int note_refusal(int error) {
    using Clock = std::chrono::steady_clock;
    was_refused_ = error == EAGAIN;
    constexpr int kNap = 10;
    const bool knew_of_end = ends_.run;
    wait_for(copy_, &ends_, -1, 0, was_refused_ && refused_since_ ? kNap : 0);
    if (!knew_of_end && ends_.run) note_what_is_left();
    if (!refused_since_ || !ends_.hurry) refused_since_ = Clock::now();
    return Clock::now() - *refused_since_ < std::chrono::milliseconds(kCopierPatience) ? 0 : ETIMEDOUT;
  }

  const StreamCopy& copy_;
  Way way_;
  CopyEnds ends_;
  Pending pending_;
  ssize_t left_ = -1;  // of what was in the pipe when the run ended; -1: it goes on
  bool is_always_ready_ = false;
  bool is_pipe_ = false;
  bool keeps_boundaries_ = false;  // each write to the pipe is one read
  bool has_room_ = false;
  bool was_refused_ = false;
  std::optional<std::chrono::steady_clock::time_point> refused_since_;
  bool has_ended_ = false;  // nobody in the guest can write any more
};

}  // namespace

int copy_input(const StreamCopy& copy) {
  follow_parent();
  ::fcntl(copy.to, F_SETFL, O_NONBLOCK);  // nobody else has this open file
  return Input(copy).run();
}

int copy_output(const StreamCopy& copy) {
  follow_parent();
  ::fcntl(copy.from, F_SETFL, O_NONBLOCK);
  const int error = Output(copy).run();
  return error == ECONNRESET ? EPIPE : error;
}

}  // namespace isolate
