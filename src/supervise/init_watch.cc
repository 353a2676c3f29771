#include "supervise/init_watch.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace isolate {
namespace {

// struct pidfd_info in linux/pidfd.h of Linux 6.15, in its first version.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup;
  std::uint32_t ids[11];  // pids, users, groups
  std::int32_t exit_code;
};
constexpr std::uint64_t kInfoExit = 1 << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);

}  // namespace

void InitWatch::watch_command(pid_t command) {
  if (command <= 0) return;
  command_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, command, 0)));
  if (!command_ && errno == ESRCH) note_end_of_command(Clock::now());
}

void InitWatch::note_end_of_command(Clock::time_point now) {
  has_ended_ = true;
  report_due_ = now + kPatience;
}

void InitWatch::expect_answer(Clock::time_point now) {
  if (answers_due_++ == 0) answer_due_ = now + kPatience;
}

void InitWatch::note_answer(Clock::time_point now) {
  answers_due_ = std::max(answers_due_ - 1, 0);
  answer_due_.reset();
  if (answers_due_ > 0) answer_due_ = now + kPatience;
}

std::optional<InitWatch::Clock::time_point> InitWatch::deadline() const {
  if (has_given_up_) return std::nullopt;
  if (report_due_ && answer_due_) return std::min(*report_due_, *answer_due_);
  return report_due_ ? report_due_ : answer_due_;
}

bool InitWatch::give_up(Clock::time_point now) {
  const auto due = deadline();
  if (!due || now < *due) return false;
  has_given_up_ = true;
  return true;
}

std::optional<ExitStatus> InitWatch::end_of_command() const {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (!command_ || ::ioctl(command_.get(), kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return std::nullopt;
  return ExitStatus::from_wait_status(info.exit_code);
}

}  // namespace isolate
