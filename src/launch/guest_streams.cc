#include "launch/guest_streams.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/exit_codes.h"
#include "base/log.h"
#include "launch/shown_pipe.h"
#include "launch/stream_copier.h"
#include "launch/terminal_keeper.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/stream.h"

namespace isolate {
namespace {

constexpr std::array<int, 3> kNumbers = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
constexpr int kSharedFlags = O_APPEND | O_ASYNC | O_DIRECT | O_NONBLOCK;  // which F_SETFL changes

std::size_t at(int number) { return static_cast<std::size_t>(number); }

const char* name_of(int number) {
  constexpr std::array<const char*, 3> kNames = {"standard input", "standard output", "standard error"};
  return kNames[at(number)];
}

bool is_any_pipe(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool is_file(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

bool has_direction(int number) { return number == STDIN_FILENO ? can_be_read(number) : can_be_written(number); }

// Only root may open a pipe of root's by its name in /proc, as /dev/stdout does. With these modes every user of the
// guest may open this pipe of ours, in the direction of the stream.
void open_to_guest(int pipe, bool is_input) { ::fchmod(pipe, S_IRUSR | S_IWUSR | (is_input ? S_IROTH : S_IWOTH)); }

constexpr int kRoom = 1 << 18;       // bytes, for what is copied at a time
constexpr int kUsualRoom = 1 << 16;  // of a pipe whose size nobody has set

// Gives our pipe the flags of the caller's, and both of them room for large portions: with pipes of the usual 64 KiB
// all programs of a pipeline wait for one another. If the caller has set another size, it stays. For a user who
// has many pipes the kernel refuses a larger one; then the data passes in smaller portions, which is slower.
void imitate_pipe(int callers, int ours) {
  const int size = ::fcntl(callers, F_GETPIPE_SZ);
  ::fcntl(ours, F_SETPIPE_SZ, std::max(kRoom, size));
  if (size == kUsualRoom) ::fcntl(callers, F_SETPIPE_SZ, kRoom);
  ::fcntl(ours, F_SETFL, ::fcntl(callers, F_GETFL) & (O_NONBLOCK | O_DIRECT));
}

bool is_exactly(int fd, int mode) { return (::fcntl(fd, F_GETFL) & O_ACCMODE) == mode; }

}  // namespace

Result<GuestStreams> GuestStreams::prepare(const StreamOptions& options) {
  GuestStreams streams;
  streams.options_ = options;
  for (const int number : kNumbers) TRY_VOID(streams.prepare_stream(number));
  return streams;
}

Result<void> GuestStreams::prepare_stream(int number) {
  if (!options_.is_needed[at(number)]) {
    // It is raw while the guest's own terminal is shown there.
    if (::isatty(number) == 1) watch_terminal(number);
    return {};
  }
  const auto kind = TRY(kind_of_stream(number));
  const bool is_input = number == STDIN_FILENO;
  if (kind == StreamKind::terminal) {
    if (options_.copies_terminals) return make_stream_pipe(number);
    shared_[at(number)] = options_.is_boundary;
    watch_terminal(number);
    return {};
  }
  const bool is_pipe = kind == StreamKind::pipe && is_exactly(number, is_input ? O_RDONLY : O_WRONLY);
  if (is_pipe && (!options_.is_boundary || can_lend(number))) {
    share_pipe(number);
    return {};
  }
  if (!options_.is_boundary || kind == StreamKind::memory_device) {
    remember_flags(number);
    return {};
  }
  if (kind == StreamKind::directory || kind == StreamKind::path) {
    return fail(Error(fmt::format("{} is {}, which a guest does not get", name_of(number),
                                  kind == StreamKind::directory ? "a directory" : "a descriptor opened with O_PATH"))
                    .advise(is_input ? "redirect it (</dev/null), and bind a directory with -d" : "redirect it"));
  }
  return has_direction(number) ? make_stream_pipe(number) : make_dead_end(number);
}

bool GuestStreams::is_owned_by_guest(int number) const {
  struct stat status {};
  if (::fstat(number, &status) != 0) return true;
  const auto has_owner = [&](const IdMapEntry& ids) {
    return ids.outside <= status.st_uid && status.st_uid - ids.outside < ids.count;
  };
  return std::any_of(options_.guest_uids.begin(), options_.guest_uids.end(), has_owner);
}

void GuestStreams::watch_terminal(int number) {
  remember_flags(number);
  auto state = TerminalState::of(number);
  for (const auto& known : terminals_) {
    if (state && known.device() == state->device()) return;
  }
  if (!state) return;
  // A guest whose terminal can't be given to it can't open it by name.
  if (options_.terminal_owner && shared_[at(number)]) [[maybe_unused]]
    auto lent = state->lend_to(options_.terminal_owner->uid, options_.terminal_owner->first_of_guests);
  terminals_.push_back(std::move(*state));
}

// A guest that does not own the caller's pipe can have it: it opens the pipe by its name in its own direction only.
bool GuestStreams::can_lend(int number) {
  if (is_owned_by_guest(number)) return false;
  if (number == STDERR_FILENO && lent_[STDOUT_FILENO] && is_same_stream(STDOUT_FILENO, STDERR_FILENO)) return true;
  const auto direction = number == STDIN_FILENO ? LentPipe::Direction::read : LentPipe::Direction::write;
  if (auto lent = LentPipe::lend(number, direction)) lent_[at(number)].emplace(std::move(*lent));
  return lent_[at(number)].has_value();
}

// The guest gets an open file of its own: the caller's keeps its flags, whatever becomes of isolate.
void GuestStreams::share_pipe(int number) {
  auto reopened = reopen_pipe(number);
  if (reopened) {
    guests_[at(number)] = std::move(*reopened);
  } else {
    remember_flags(number);  // the pipe of another user: the flags are put back at the end
  }
}

void GuestStreams::remember_flags(int number) { flags_.push_back({number, ::fcntl(number, F_GETFL)}); }

// What can't be read or written outside can't be inside, with the same error.
Result<void> GuestStreams::make_dead_end(int number) {
  guests_[at(number)] = TRY(open_file(AT_FDCWD, "/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  return {};
}

Result<void> GuestStreams::make_stream_pipe(int number) {
  if (number == STDERR_FILENO && ours_[STDOUT_FILENO] && is_same_stream(STDOUT_FILENO, STDERR_FILENO)) {
    joins_output_ = true;
    return {};
  }
  auto [reader, writer] = TRY(make_pipe(name_of(number)));
  const bool is_input = number == STDIN_FILENO;
  if (is_file(number)) ::fcntl(writer.get(), F_SETPIPE_SZ, kRoom);
  // Each message of the guest's is one outside.
  if (!is_input && preserves_message_boundaries(number)) ::fcntl(writer.get(), F_SETFL, O_DIRECT);
  if (is_any_pipe(number)) imitate_pipe(number, is_input ? reader.get() : writer.get());
  auto& guests = guests_[at(number)];
  guests = std::move(is_input ? reader : writer);
  ours_[at(number)] = std::move(is_input ? writer : reader);
  open_to_guest(guests.get(), is_input);
  return {};
}

int GuestStreams::descriptor(int number) const {
  if (number == STDERR_FILENO && joins_output_) return guests_[STDOUT_FILENO].get();
  return guests_[at(number)] ? guests_[at(number)].get() : number;
}

StreamFds GuestStreams::descriptors() const {
  StreamFds descriptors;
  for (const int number : kNumbers) descriptors.numbers[at(number)] = descriptor(number);
  descriptors.shared_terminals = shared_;
  return descriptors;
}

Result<void> GuestStreams::start(int guest) {
  for (const int number : {STDOUT_FILENO, STDERR_FILENO}) guests_[at(number)].reset();
  const bool copies = ours_[0] || ours_[1] || ours_[2];
  if (!copies) guests_[STDIN_FILENO].reset();
  if (!copies && terminals_.empty()) return {};
  auto run = TRY(make_pipe("streams"));
  run_reader_ = std::move(run.read);
  run_ = std::move(run.write);
  if (copies) {
    auto hurry = TRY(make_pipe("streams"));
    hurry_reader_ = std::move(hurry.read);
    hurry_ = std::move(hurry.write);
  }
  for (const int number : kNumbers) {
    if (ours_[at(number)]) TRY_VOID(start_copier(number));
  }
  guests_[STDIN_FILENO].reset();
  return terminals_.empty() ? Result<void>() : start_keeper(guest);
}

Result<void> GuestStreams::start_keeper(int guest) {
  std::vector<int> flags(kNumbers.size(), -1);
  for (const auto& entry : flags_) flags[at(entry.number)] = entry.before;
  keeper_ = TRY(start_terminal_keeper(terminals_, flags, run_reader_.get(), guest));
  return {};
}

Result<void> GuestStreams::start_copier(int number) {
  const bool is_input = number == STDIN_FILENO;
  const int ours = ours_[at(number)].get();
  const int guests = guests_[STDIN_FILENO].get();
  const int run = run_reader_.get();
  const int hurry = hurry_reader_.get();
  copiers_[at(number)] = TRY(fork_child(0, [&] {
    ::prctl(PR_SET_NAME, "isolate-copy");
    close_all_but({number, ours, is_input ? guests : -1, run, hurry});
    // Keys of the terminal are for the command, and its end is the guest's. A reader of the terminal has to stay where
    // it is: in the background it is stopped.
    if (::isatty(number) != 1) ::setsid();
    if (!is_input) return copy_output({ours, number, -1, run, hurry});
    const StreamCopy copy{number, ours, guests, run, hurry};
    return is_any_pipe(number) ? show_pipe(copy) : copy_input(copy);
  }));
  ours_[at(number)].reset();
  return {};
}

Result<int> GuestStreams::finish(bool is_patient, const std::optional<OtherSignals>& others) {
  restore();
  if (run_) [[maybe_unused]]
    auto told = write_all(run_.get(), "x", "streams");
  run_.reset();
  if (!is_patient) hurry_.reset();
  auto read = end_input();
  auto written = wait_for_copiers(others);
  if (written && !read) return fail(std::move(read).error());
  return written;
}

// It gives back what the guest has not taken. Only a device or a terminal that nobody reads from can hold it up.
Result<void> GuestStreams::end_input() {
  const int most = is_any_pipe(STDIN_FILENO) ? 10'000 : 1'000;  // milliseconds
  auto& copier = copiers_[STDIN_FILENO];
  if (!copier.running()) return {};
  pollfd end{copier.pidfd(), POLLIN, 0};
  if (::isatty(STDIN_FILENO) == 1 || ::poll(&end, 1, most) != 1) {
    copier.kill_and_reap();
    return {};
  }
  const auto ended = TRY(copier.wait());
  if (ended.signalled || ended.value == 0) return {};
  auto error =
      Error(fmt::format("{}: not all of it could be read: {}", name_of(STDIN_FILENO), std::strerror(ended.value)));
  if (is_file(STDIN_FILENO)) return fail(std::move(error));
  // A command that reads nothing may well have such a socket or device.
  log::warning(error.message());
  return {};
}

namespace {

// A signal that ends this process as it would any other; 0 for none.
int read_ending_signal(int signals, bool ignore_interrupt) {
  signalfd_siginfo info{};
  if (::read(signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return 0;
  const auto number = static_cast<int>(info.ssi_signo);
  if (number == SIGTSTP) ::raise(SIGSTOP);
  if (number == SIGINT && ignore_interrupt) return 0;
  return number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT ? number : 0;
}

}  // namespace

Result<int> GuestStreams::wait_for_copiers(const std::optional<OtherSignals>& others) {
  if (!copiers_[STDOUT_FILENO].running() && !copiers_[STDERR_FILENO].running()) return 0;
  const auto signals = TRY(held_signals());
  Result<int> outcome = 0;
  for (const int number : {STDOUT_FILENO, STDERR_FILENO}) {
    auto& copier = copiers_[at(number)];
    while (copier.running()) {
      pollfd sources[] = {
          {copier.pidfd(), POLLIN, 0}, {signals.get(), POLLIN, 0}, {others ? others->fd : -1, POLLIN, 0}};
      if (::poll(sources, 3, -1) < 0) {
        if (errno != EINTR) return fail(errno, "poll");
        continue;
      }
      if (sources[0].revents != 0) {
        const auto ended = TRY(copier.wait());
        if (ended.success()) break;
        if (!ended.signalled && ended.value == EPIPE) {
          if (outcome) outcome = kBySignal + SIGPIPE;
          break;
        }
        auto why = ended.signalled ? ended.describe() : std::string(std::strerror(ended.value));
        outcome = fail(fmt::format("{}: some output of the command could not be written: {}", name_of(number), why));
        continue;
      }
      int signal = sources[2].revents != 0 ? others->read() : 0;
      if (signal == 0) signal = read_ending_signal(signals.get(), options_.ignore_interrupt);
      if (signal != 0) {
        for (auto& other : copiers_) other.kill_and_reap();
        return kBySignal + signal;
      }
    }
  }
  return outcome;
}

void GuestStreams::restore() {
  for (const auto& terminal : terminals_) terminal.restore();
  for (const auto& [number, before] : flags_) {
    const int now = ::fcntl(number, F_GETFL);
    if (now >= 0 && ((now ^ before) & kSharedFlags) != 0) ::fcntl(number, F_SETFL, before);
  }
  terminals_.clear();
  flags_.clear();
  for (auto& lent : lent_) lent.reset();
  // Before it takes the end of the run for that of isolate, and sets modes back that the command has set on purpose.
  keeper_.kill_and_reap();
}

}  // namespace isolate
