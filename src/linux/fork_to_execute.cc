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
#include <cstdlib>
#include <utility>

#include "base/trace.h"
#include "linux/file.h"

namespace isolate {
namespace {

// While it lives, this process is who a namespace is to be counted for, and has the limit that the namespace is to
// have: the kernel takes both from who makes it.
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
    // The capabilities stay, which the change of ids would take: they are needed where only root may make namespaces.
    TRY(trace::check(::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl", "securebits"));
    maker.has_securebits_ = true;
    const auto id = *processes.counted_as;
    ::prctl(PR_GET_PDEATHSIG, &maker.death_signal_);
    maker.parent_ = ::getppid();
    TRY(trace::check(::syscall(SYS_setresuid, id, id, -1), "setresuid", "maker of a namespace"));
    maker.has_id_ = true;
    maker.stay_tied();
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
    // Who could not become himself again must not go on as somebody else.
    if (has_id_ && ::syscall(SYS_setresuid, 0, 0, -1) != 0) ::abort();
    if (has_id_) stay_tied();
    if (has_securebits_ && ::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0) ::abort();
    if (has_limit_ && ::setrlimit(RLIMIT_NPROC, &limit_before_) != 0) ::abort();
  }

 private:
  CountedMaker() = default;
  // A change of ids clears the parent-death signal. Meanwhile the parent may have died.
  void stay_tied() const {
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

// Holds a child back until it is let go.
class Gate {
 public:
  static Result<Gate> make() {
    int ends[2];
    TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "child"));
    return Gate(Fd(ends[0]), Fd(ends[1]));
  }
  // In the child: false when the parent has given up. It holds the writing end too, but is then killed.
  bool wait_to_go() const {
    char byte = 0;
    ssize_t got = -1;
    do {
      got = ::read(read_.get(), &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
  }
  // In the parent. Nobody reads what is written for a child that has died, which is harmless.
  void let_go() const {
    const char byte = 0;
    [[maybe_unused]] auto written = ::write(write_.get(), &byte, 1);
  }

 private:
  Gate(Fd read, Fd write) : read_(std::move(read)), write_(std::move(write)) {}
  Fd read_;
  Fd write_;
};

// The clone, with a limit of processes as it is to be counted for the new namespace.
Result<ChildProcess> counted(const ProcessLimit& processes, const std::function<Result<ChildProcess>()>& clone) {
  const auto maker = TRY(CountedMaker::become(processes));
  return clone();
}

// Whose child a new process is to be, and ends with: this process's, or that of who adopts it.
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

// A child that is to be adopted is told of, and left to who waits for it.
Result<ChildProcess> given_away(Result<ChildProcess> started, const Adoption* adoption) {
  if (adoption == nullptr || !started) return started;
  TRY_VOID(adoption->announce(*started));
  started->disown();
  return started;
}

// A child that could not be mapped is killed, and told of all the same: whose child it is has to wait for it.
Result<ChildProcess> mapped(const Gate& gate, Result<ChildProcess> started,
                            const std::function<Result<void>(const ChildProcess&)>& map, const Adoption* adoption) {
  auto child = TRY(std::move(started));
  if (auto outcome = map(child); !outcome) {
    child.signal(SIGKILL);
    TRY(given_away(std::move(child), adoption));
    return fail(std::move(outcome).error());
  }
  gate.let_go();
  return given_away(std::move(child), adoption);
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

Result<std::optional<ChildProcess>> Adoption::take() {
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
  return given_away(fork_child(namespaces | parent.flag(), body, parent.pidfd()), adoption);
}

Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes) {
  return counted(processes, [] {
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
  auto child = counted(processes, [&] {
    return fork_child(
        namespaces | CLONE_NEWUSER | parent.flag(), [&] { return gate.wait_to_go() ? body() : 1; }, parent.pidfd());
  });
  return mapped(gate, std::move(child), map, adoption);
}

}  // namespace isolate
