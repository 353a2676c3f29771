#include "launch/copier_wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>

namespace isolate {
namespace {

constexpr unsigned kMostSecondsAfterParent = 10;

volatile sig_atomic_t parent_has_died = 0;

void on_parents_death(int) {
  parent_has_died = 1;
  ::alarm(kMostSecondsAfterParent);  // SIGALRM again, which has its default action by then
}

}  // namespace

void follow_parent() {
  struct sigaction action {};
  action.sa_handler = on_parents_death;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  ::sigaction(SIGALRM, &action, nullptr);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGALRM);
  ::signal(SIGPIPE, SIG_IGN);
}

short wait_for(const StreamCopy& copy, CopyEnds* ends, int fd, short events, int most, int sink) {
  std::array<pollfd, 4> sources = {{{fd, events, 0},
                                    {ends->run || ends->parent ? -1 : copy.run, POLLIN, 0},
                                    {ends->hurry ? -1 : copy.hurry, POLLIN, 0},
                                    {sink, 0, 0}}};
  const int count = ::poll(sources.data(), sources.size(), ends->hurry && most < 0 ? kCopierPatience : most);
  if (count >= 0 && sources[1].revents != 0) {
    ends->run = (sources[1].revents & POLLIN) != 0;
    ends->parent = !ends->run;
    if (ends->parent) ::alarm(kMostSecondsAfterParent);
  }
  if (parent_has_died != 0) ends->parent = true;
  if (count < 0) return 0;
  if (sources[2].revents != 0 || ends->parent) ends->hurry = true;
  if (count == 0) return POLLNVAL;  // the time is over
  return sources[0].revents;
}

bool is_transient(int error) { return error == EINTR || error == EAGAIN; }

}  // namespace isolate
