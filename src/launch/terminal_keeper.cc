#include "launch/terminal_keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <sstream>

#include "linux/file.h"

namespace isolate {
namespace {

// Returns the foreground process group of a session's terminal, from the /proc entry of the session's leader. -1: it is
// unknown.
pid_t foreground_of_session(pid_t leader) {
  const auto stat = read_file("/proc/" + std::to_string(leader) + "/stat");
  const auto name_end = stat ? stat->rfind(") ") : std::string::npos;
  if (name_end == std::string::npos) return -1;
  std::istringstream fields(stat->substr(name_end + 2));
  char state = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  int terminal = 0;
  pid_t foreground = -1;
  fields >> state >> parent >> group >> session >> terminal >> foreground;
  return fields ? foreground : -1;
}

// Whether a shell has taken the foreground back. It has then set modes of its own, which must stay.
bool is_taken_back(pid_t leader, pid_t group) {
  const pid_t foreground = foreground_of_session(leader);
  return foreground > 0 && foreground != group && ::kill(-foreground, 0) == 0;
}

constexpr int kMostMilliseconds = 5000;

void put_back(const std::vector<TerminalState>& terminals, const std::vector<int>& flags, pid_t leader, pid_t group) {
  for (const auto& terminal : terminals) {
    terminal.restore();
    if (!is_taken_back(leader, group)) terminal.restore_modes();
  }
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (const int before = flags[static_cast<std::size_t>(number)]; before >= 0) ::fcntl(number, F_SETFL, before);
  }
}

}  // namespace

Result<ChildProcess> start_terminal_keeper(const std::vector<TerminalState>& terminals, const std::vector<int>& flags,
                                           int run, int guest) {
  const pid_t leader = ::getsid(0);
  const pid_t group = ::getpgrp();
  return fork_child(0, [&] {
    ::prctl(PR_SET_NAME, "isolate-keeper");
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    ::setsid();
    std::vector<int> kept = {run, guest};
    for (const auto& terminal : terminals) kept.push_back(terminal.fd());
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
      if (flags[static_cast<std::size_t>(number)] >= 0) kept.push_back(number);
    }
    close_all_but(kept);
    ::prctl(PR_SET_PDEATHSIG, 0);
    pollfd end{run, POLLIN, 0};
    while (::poll(&end, 1, -1) < 0 && errno == EINTR) {
    }
    put_back(terminals, flags, leader, group);
    if (guest < 0) return 0;
    // The guest outlives isolate for a moment, and could change the terminal again. So wait for its end, and restore
    // the terminal once more.
    pollfd gone{guest, POLLIN, 0};
    ::poll(&gone, 1, kMostMilliseconds);
    put_back(terminals, flags, leader, group);
    return 0;
  });
}

}  // namespace isolate
