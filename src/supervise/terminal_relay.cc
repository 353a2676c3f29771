#include "supervise/terminal_relay.h"

#include <fcntl.h>
#include <unistd.h>

namespace isolate {
namespace {

constexpr std::size_t kPortion = 4096;  // a pipe that is ready for writing takes this many bytes without blocking

bool is_transient(int error) { return error == EINTR || error == EAGAIN; }

}  // namespace

// If standard input is the terminal, its keys go to the guest, and the terminal has to be raw.
bool TerminalRelay::host_is_input() const { return host_ != nullptr && ::isatty(STDIN_FILENO) == 1; }

void TerminalRelay::start(Fd guest) {
  guest_ = std::move(guest);
  ::fcntl(guest_.get(), F_SETFL, O_NONBLOCK);  // no other process has this open file description
  if (host_ != nullptr) ::tcsetattr(guest_.get(), TCSANOW, &host_->modes());
  follow_host();
}

TerminalRelay::Sources TerminalRelay::sources() const {
  const auto wait = [](bool wanted, int fd, short events) { return pollfd{wanted ? fd : -1, events, 0}; };
  const int guest_events = (to_host_.empty() ? POLLIN : 0) | (to_guest_.empty() ? 0 : POLLOUT);
  return {wait(running() && input_open_ && to_guest_.empty(), STDIN_FILENO, POLLIN),
          wait(running() && guest_events != 0, guest_.get(), static_cast<short>(guest_events)),
          wait(running() && !to_host_.empty(), STDOUT_FILENO, POLLOUT)};
}

void TerminalRelay::copy(const Sources& answered) {
  if (!running()) return;
  if (answered[0].revents != 0) read_input();
  if ((answered[1].revents & (POLLIN | POLLHUP)) != 0 && to_host_.empty()) read_guest();
  write_pending();
}

void TerminalRelay::read_input() {
  char buffer[kPortion];
  const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
  if (got > 0) {
    to_guest_.assign(buffer, static_cast<std::size_t>(got));
    last_byte_ = to_guest_.back();
  } else if (got == 0 || !is_transient(errno)) {
    end_of_input();
  }
}

// A terminal cannot be closed for its readers. An end-of-file character at the beginning of a line stands for the end,
// and within a line two of them do.
void TerminalRelay::end_of_input() {
  input_open_ = false;
  termios modes{};
  if (::tcgetattr(guest_.get(), &modes) != 0) return;
  const auto end = static_cast<char>(modes.c_cc[VEOF]);
  to_guest_.assign(last_byte_ == '\n' ? 1 : 2, end);
}

bool TerminalRelay::read_guest() {
  char buffer[kPortion];
  const ssize_t got = ::read(guest_.get(), buffer, sizeof buffer);
  if (got > 0 && output_open_) to_host_.assign(buffer, static_cast<std::size_t>(got));
  // EIO: no process has the guest's side open at the moment. That is not the end of the run: isolate-init reports it.
  return got > 0;
}

void TerminalRelay::write_pending() {
  const auto write_some = [](int fd, std::string* pending) {
    const ssize_t written = ::write(fd, pending->data(), pending->size());
    if (written > 0) pending->erase(0, static_cast<std::size_t>(written));
    return written > 0 || is_transient(errno);
  };
  if (!to_guest_.empty() && !write_some(guest_.get(), &to_guest_)) to_guest_.clear();
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  if (to_host_.empty() || ::poll(&output, 1, 0) <= 0 || write_some(STDOUT_FILENO, &to_host_)) return;
  // If the reader has gone away, the guest goes on, as it would with a terminal that nobody looks at.
  const int error = errno;
  const bool is_hung_up = error == EIO && ::lseek(STDOUT_FILENO, 0, SEEK_CUR) < 0;
  if (error != EPIPE && !is_hung_up) output_error_ = error;
  output_open_ = false;
  to_host_.clear();
}

void TerminalRelay::follow_host() const {
  if (!running() || host_ == nullptr) return;
  const auto size = host_->size();
  ::ioctl(guest_.get(), TIOCSWINSZ, &size);
  if (host_is_input()) host_->make_raw();
}

void TerminalRelay::give_host_back() const {
  if (running() && host_is_input()) host_->restore();
}

int TerminalRelay::finish() {
  // This is more than a terminal buffers. There has to be a limit, since other processes of the guest may write for
  // ever.
  std::size_t portions = (1 << 18) / kPortion;
  while (running() && (!to_host_.empty() || (portions-- > 0 && read_guest()))) {
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    if (!to_host_.empty() && ::poll(&output, 1, -1) < 0 && errno != EINTR) break;
    write_pending();
  }
  give_host_back();
  guest_.reset();
  return output_error_;
}

}  // namespace isolate
