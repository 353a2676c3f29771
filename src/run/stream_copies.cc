#include "run/stream_copies.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "linux/file.h"
#include "linux/signal_reset.h"

namespace isolate {
namespace {

// Until the end of `from`. Once `goes_on` is closed at its other end, what is there by then, which is no more than a
// pipe holds: what a guest goes on to write is not waited for, and a terminal that takes nothing is left at any signal.
int copy_all(int from, int to, int goes_on) {
  ssize_t left = 64 << 10;
  bool has_ended = false;
  while (true) {
    pollfd sources[] = {{from, POLLIN, 0}, {has_ended ? -1 : goes_on, POLLIN, 0}};
    if (::poll(sources, 2, has_ended ? 0 : -1) < 0 && errno != EINTR) return 1;
    if (sources[0].revents != 0) {
      char buffer[4096];
      const ssize_t got = ::read(from, buffer, sizeof buffer);
      if (got <= 0 || !write_all(to, {buffer, static_cast<std::size_t>(got)}, "copy")) return 0;
      if (has_ended && (left -= got) <= 0) return 0;
    } else if (has_ended) {
      return 0;
    }
    if (sources[1].revents == 0) continue;
    has_ended = true;
    reset_signals();
  }
}

}  // namespace

Result<void> StreamCopies::copy(int number) {
  auto [reader, writer] = TRY(make_pipe("copies"));
  const bool is_input = number == STDIN_FILENO;
  auto& ours = is_input ? writer : reader;
  pipes_[static_cast<std::size_t>(number)] = std::move(is_input ? reader : writer);
  copiers_[static_cast<std::size_t>(number)] = TRY(fork_child(0, [&] {
    // An end of the guest's that stays open here would be the last one.
    for (auto& pipe : pipes_) pipe.reset();
    goes_on_.reset();
    return is_input ? copy_all(number, ours.get(), goes_on_reader_.get())
                    : copy_all(ours.get(), number, goes_on_reader_.get());
  }));
  return {};
}

Result<StreamCopies> StreamCopies::start(const std::array<bool, 3>& is_needed) {
  StreamCopies copies;
  copies.is_needed_ = is_needed;
  copies.null_ = TRY(open_file(AT_FDCWD, "/dev/null", O_RDWR));
  auto [reader, writer] = TRY(make_pipe("copies"));
  copies.goes_on_ = std::move(writer);
  copies.goes_on_reader_ = std::move(reader);
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (is_needed[static_cast<std::size_t>(number)] && ::isatty(number) == 1) TRY_VOID(copies.copy(number));
  }
  return copies;
}

int StreamCopies::descriptor(int number) const {
  const auto at = static_cast<std::size_t>(number);
  if (!is_needed_[at]) return null_.get();
  return pipes_[at] ? pipes_[at].get() : number;
}

void StreamCopies::let_go() {
  for (auto& pipe : pipes_) pipe.reset();
}

void StreamCopies::finish() {
  copiers_[STDIN_FILENO].kill_and_reap();
  goes_on_.reset();
  for (auto& copier : copiers_) {
    // It copies what there is and ends, ignoring how.
    if (copier.running()) [[maybe_unused]]
      auto ended = copier.wait();
  }
}

}  // namespace isolate
