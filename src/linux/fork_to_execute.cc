#include "linux/fork_to_execute.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/gate.h"

namespace isolate {
namespace {

// The kernel counts a new user namespace for the user who creates it, and copies that user's process limit to it. While
// this object lives, this process therefore has the effective id and the limit that the namespace should get.
class CountedMaker {
 public:
  static Result<CountedMaker> become(const ProcessLimit& processes) {
    CountedMaker maker;
    if (processes.most != UINT64_MAX) {
      TRY(trace::check(::getrlimit(RLIMIT_NPROC, &maker.limit_before_), "getrlimit", "processes"));
      auto limit = maker.limit_before_;
      limit.rlim_cur = std::min(limit.rlim_max, static_cast<rlim_t>(processes.most));
      TRY(trace::check(::setrlimit(RLIMIT_NPROC, &limit), "setrlimit", "processes"));
      maker.has_limit_ = true;
    }
    if (!processes.counted_as) return maker;
    // Without SECBIT_NO_SETUID_FIXUP the change of ids would clear the capabilities. They are needed on systems where
    // only root may create user namespaces.
    TRY(trace::check(::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl", "securebits"));
    maker.has_securebits_ = true;
    const auto id = *processes.counted_as;
    ::prctl(PR_GET_PDEATHSIG, &maker.death_signal_);
    maker.parent_ = ::getppid();
    TRY(trace::check(::syscall(SYS_setresuid, id, id, -1), "setresuid", "maker of a namespace"));
    maker.has_id_ = true;
    maker.renew_death_signal();
    return maker;
  }
  CountedMaker(CountedMaker&& other) noexcept
      : limit_before_(other.limit_before_),
        has_limit_(std::exchange(other.has_limit_, false)),
        has_securebits_(std::exchange(other.has_securebits_, false)),
        has_id_(std::exchange(other.has_id_, false)),
        death_signal_(other.death_signal_),
        parent_(other.parent_) {}
  CountedMaker& operator=(CountedMaker&&) = delete;
  ~CountedMaker() {
    // This process must not continue as another user if it can't change back.
    if (has_id_ && ::syscall(SYS_setresuid, 0, 0, -1) != 0) ::abort();
    if (has_id_) renew_death_signal();
    if (has_securebits_ && ::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0) ::abort();
    if (has_limit_ && ::setrlimit(RLIMIT_NPROC, &limit_before_) != 0) ::abort();
  }

 private:
  CountedMaker() = default;
  // A change of ids clears the parent-death signal, so set it again. If the parent died in between, raise it now.
  void renew_death_signal() const {
    if (death_signal_ == 0) return;
    ::prctl(PR_SET_PDEATHSIG, death_signal_);
    if (::getppid() != parent_) ::raise(death_signal_);
  }
  rlimit limit_before_{};
  bool has_limit_ = false;
  bool has_securebits_ = false;
  bool has_id_ = false;
  int death_signal_ = 0;
  pid_t parent_ = 0;
};

// Calls `clone` as the user and with the process limit of the new namespace.
Result<ChildProcess> clone_counted(const ProcessLimit& processes, const std::function<Result<ChildProcess>()>& clone) {
  const auto maker = TRY(CountedMaker::become(processes));
  return clone();
}

// The parent of a new process: this process, or the process that adopts the child.
class Parent {
 public:
  explicit Parent(const Adoption* adoption)
      : own_(adoption == nullptr ? own_pidfd() : Fd()),
        pidfd_(adoption == nullptr ? own_.get() : adoption->pidfd()),
        flag_(adoption == nullptr ? 0 : CLONE_PARENT) {}
  int pidfd() const { return pidfd_; }
  std::uint64_t flag() const { return flag_; }

 private:
  Fd own_;
  int pidfd_;
  std::uint64_t flag_;
};

// Announces a child to the process that adopts it, which will wait for it. Does nothing without an adoption.
Result<ChildProcess> hand_to_adopter(Result<ChildProcess> started, const Adoption* adoption) {
  if (adoption == nullptr || !started) return started;
  TRY_VOID(adoption->announce(*started));
  started->disown();
  return started;
}

// Writes the maps of a child and releases it. If the maps are refused, kills the child; its parent still has to reap
// it, so a child that is to be adopted is announced all the same. It is announced before it is released, so that none
// begins of which the adopting process does not know.
Result<ChildProcess> map_and_release(const Gate& gate, Result<ChildProcess> started,
                                     const std::function<Result<void>(const ChildProcess&)>& map,
                                     const Adoption* adoption) {
  auto child = TRY(std::move(started));
  if (auto outcome = map(child); !outcome) {
    child.signal(SIGKILL);
    TRY(hand_to_adopter(std::move(child), adoption));
    return fail(std::move(outcome).error());
  }
  auto handed = TRY(hand_to_adopter(std::move(child), adoption));
  gate.release();
  return handed;
}

}  // namespace

Result<Adoption> Adoption::prepare() {
  Adoption adoption;
  int ends[2];
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "adoption"));
  adoption.reader_ = Fd(ends[0]);
  adoption.writer_ = Fd(ends[1]);
  adoption.pidfd_ = own_pidfd();
  return adoption;
}

Result<void> Adoption::announce(const ChildProcess& child) const {
  const pid_t pid = child.pid();
  return write_all(writer_.get(), {reinterpret_cast<const char*>(&pid), sizeof pid}, "adoption");
}

Result<std::optional<ChildProcess>> Adoption::receive_child() {
  writer_.reset();
  pid_t pid = -1;
  ssize_t got = -1;
  do {
    got = ::read(reader_.get(), &pid, sizeof pid);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof pid)) return std::nullopt;
  Fd pidfd(static_cast<int>(TRY(trace::check(::syscall(SYS_pidfd_open, pid, 0), "pidfd_open", "adoption"))));
  return ChildProcess(pid, std::move(pidfd));
}

Result<ChildProcess> fork_to_execute(const std::function<int()>& body, std::uint64_t namespaces,
                                     const Adoption* adoption) {
  const Parent parent(adoption);
  return hand_to_adopter(fork_child(namespaces | parent.flag(), body, parent.pidfd()), adoption);
}

Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes) {
  return clone_counted(processes, [] {
    return fork_child(CLONE_NEWUSER, [] {
      // Locks and other files of the parent must not live on here.
      ::syscall(SYS_close_range, 0, ~0U, 0);
      ::pause();
      return 0;
    });
  });
}

Result<ChildProcess> fork_to_execute_mapped(const std::function<int()>& body, std::uint64_t namespaces,
                                            const ProcessLimit& processes,
                                            const std::function<Result<void>(const ChildProcess&)>& map,
                                            const Adoption* adoption) {
  const Parent parent(adoption);
  auto gate = TRY(Gate::make());
  auto child = clone_counted(processes, [&] {
    return fork_child(
        namespaces | CLONE_NEWUSER | parent.flag(), [&] { return gate.wait_to_go() ? body() : 1; }, parent.pidfd());
  });
  return map_and_release(gate, std::move(child), map, adoption);
}

}  // namespace isolate
