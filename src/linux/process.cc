#include "linux/process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/trace.h"
#include "linux/signal_reset.h"

namespace isolate {

ExitStatus ExitStatus::from_wait_status(int status) {
  if (WIFSIGNALED(status)) return {true, WTERMSIG(status)};
  return {false, WEXITSTATUS(status)};
}

std::string ExitStatus::describe() const { return (signalled ? "signal " : "exit status ") + std::to_string(value); }

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill_and_reap();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
  }
  return *this;
}

Result<ExitStatus> ChildProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return fail(errno, "waitpid " + std::to_string(pid_));
  }
  pid_ = -1;
  pidfd_.reset();
  return ExitStatus::from_wait_status(status);
}

Result<pid_t> ChildProcess::pid_in_proc() const {
  // proc(5), fdinfo of a pidfd: "Pid:" is the pid in the pid namespace of this /proc.
  const std::string path = "/proc/self/fdinfo/" + std::to_string(pidfd_.get());
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[512];
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
  if (got < 0) return fail(errno, "read " + path);
  const std::string_view info(buffer, static_cast<std::size_t>(got));
  const auto at = info.find("Pid:");
  if (at == std::string_view::npos) return fail(ESRCH, "read " + path);
  return static_cast<pid_t>(std::atoi(buffer + at + std::strlen("Pid:")));
}

void ChildProcess::signal(int number) const {
  // The child is not reaped yet, so no other process can have its pid. If it is a zombie already, the signal has no
  // effect.
  if (pid_ > 0) ::kill(pid_, number);
}

void ChildProcess::kill_and_reap() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  auto ignored = wait();  // waitpid of a killed child can't fail; a destructor could not report it either
}

void ChildProcess::disown() {
  pid_ = -1;
  pidfd_.reset();
}

void die_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

Fd own_pidfd() { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))); }

void tie_to_parent(int parent_pidfd) {
  die_with_parent();
  pollfd end{parent_pidfd, POLLIN, 0};
  int ended = -1;
  do {
    ended = ::poll(&end, 1, 0);  // even without a timeout a signal interrupts it
  } while (ended < 0 && errno == EINTR);
  if (ended != 0) ::_exit(1);
}

namespace {

// Finishes a fork: in the child runs `body`, in the parent returns the child.
Result<ChildProcess> run_in_child(long pid, int pidfd, const std::function<int()>& body, int parent_pidfd) {
  if (pid == 0) {
    tie_to_parent(parent_pidfd);
    ::_exit(body());
  }
  auto made = trace::check(pid, "clone", "child");
  if (!made && made.error().code() == ENOSPC) {
    return fail(std::move(made).error().advise(
        "a limit of namespaces is reached; see the sysctls user.max_*_namespaces, and raise the one that is too low"));
  }
  TRY(std::move(made));
  return ChildProcess(static_cast<pid_t>(pid), Fd(pidfd));
}

}  // namespace

Result<ChildProcess> fork_child(std::uint64_t namespaces, const std::function<int()>& body, int parent_pidfd) {
  int pidfd = -1;
  const Fd self = parent_pidfd < 0 ? own_pidfd() : Fd();
  // Uses clone(2): the seccomp filters of containers refuse clone3(2), because they can't see its arguments.
  const auto flags = namespaces | CLONE_PIDFD | SIGCHLD;
  const long pid = ::syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, nullptr);
  return run_in_child(pid, pidfd, body, parent_pidfd < 0 ? self.get() : parent_pidfd);
}

Result<ChildProcess> fork_child_in_group(int group, std::uint64_t namespaces, const std::function<int()>& body) {
  int pidfd = -1;
  const Fd self = own_pidfd();
  clone_args arguments{};
  arguments.flags = namespaces | CLONE_PIDFD | CLONE_INTO_CGROUP;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<std::uint64_t>(group);
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  return run_in_child(pid, pidfd, body, self.get());
}

std::vector<std::string> current_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

std::vector<char*> pointer_array(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const auto& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

namespace {

void add_descriptor(posix_spawn_file_actions_t* actions, int from, int to, int flags_for_null) {
  // dup2 even if from == to: posix_spawn then clears close-on-exec.
  if (from >= 0) ::posix_spawn_file_actions_adddup2(actions, from, to);
  if (from < 0 && flags_for_null >= 0) ::posix_spawn_file_actions_addopen(actions, to, "/dev/null", flags_for_null, 0);
}

bool install_descriptor(int from, int to) {
  if (from == to) return ::fcntl(to, F_SETFD, 0) == 0;
  return from < 0 || ::dup2(from, to) == to;
}

// Appends the available output of `source` to `target`. Returns false at the end of the output.
bool drain(int source, std::string* target, std::size_t most) {
  char buffer[4096];
  const ssize_t got = ::read(source, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (target->size() < most) target->append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

Result<ChildProcess> spawn(const std::vector<std::string>& argv, const SpawnFds& fds,
                           const std::vector<std::string>& environment) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  add_descriptor(&actions, fds.in, STDIN_FILENO, O_RDONLY);
  add_descriptor(&actions, fds.out, STDOUT_FILENO, -1);
  add_descriptor(&actions, fds.err, STDERR_FILENO, -1);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);

  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  // posix_spawn(3) would ignore the C library's own signals (32 and 33) in place of resetting them.
  for (int number = 1; number < NSIG; ++number) sigaddset(&signals, number);
  // If the caller ignores a hang-up (nohup), the programs that isolate starts ignore it as well.
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
    if (has_signal(signals_of_caller().ignored, number)) sigdelset(&signals, number);
  }
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  auto arguments = pointer_array(argv);
  auto variables = pointer_array(environment);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, arguments.data(),
                                   environment.empty() ? environ : variables.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (trace::enabled()) trace::line("spawn " + text::join(argv, " ") + " = " + std::to_string(error == 0 ? pid : -1));
  if (error != 0) return fail(error, "start " + argv[0]);
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return ChildProcess(pid, std::move(pidfd));
}

Result<ChildProcess> spawn_tied(const std::vector<std::string>& argv, const SpawnFds& fds, int death_signal,
                                const std::vector<std::string>& environment) {
  auto arguments = pointer_array(argv);
  auto variables = pointer_array(environment);
  if (trace::enabled()) trace::line("spawn " + text::join(argv, " "));
  const auto callers = signals_of_caller();  // read before this function blocks signals
  // The child must not receive a signal while it still has this process's handlers.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  auto child = fork_child(0, [&] {
    constexpr int kNotExecuted = 127;
    // fork_child has set SIGKILL until here, which leaves no gap without a death signal.
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    reset_signals(callers);
    const int in = fds.in < 0 ? ::open("/dev/null", O_RDONLY | O_CLOEXEC) : fds.in;
    // The program must never read the caller's own standard input.
    if (in < 0 || !install_descriptor(in, STDIN_FILENO) || !install_descriptor(fds.out, STDOUT_FILENO) ||
        !install_descriptor(fds.err, STDERR_FILENO)) {
      return kNotExecuted;
    }
    ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    if (!environment.empty()) environ = variables.data();
    ::execvp(arguments[0], arguments.data());
    return kNotExecuted;
  });
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return child;
}

Result<Output> run_program(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                           const std::function<void(const ChildProcess&)>& started, std::size_t most) {
  int out[2];
  int err[2];
  TRY(trace::check(::pipe2(out, O_CLOEXEC), "pipe2", argv[0]));
  Fd out_read(out[0]);
  Fd out_write(out[1]);
  TRY(trace::check(::pipe2(err, O_CLOEXEC), "pipe2", argv[0]));
  Fd err_read(err[0]);
  Fd err_write(err[1]);
  auto child = TRY(spawn(argv, {-1, out_write.get(), err_write.get()}, environment));
  out_write.reset();
  err_write.reset();
  if (started) started(child);

  Output output;
  pollfd sources[] = {{out_read.get(), POLLIN, 0}, {err_read.get(), POLLIN, 0}};
  std::string* targets[] = {&output.out, &output.err};
  int open_sources = 2;
  while (open_sources > 0) {
    if (::poll(sources, 2, -1) < 0 && errno != EINTR) return fail(errno, "poll " + argv[0]);
    for (int i = 0; i < 2; ++i) {
      if (sources[i].revents == 0 || drain(sources[i].fd, targets[i], most)) continue;
      sources[i].fd = -1;
      --open_sources;
    }
  }
  output.status = TRY(child.wait());
  return output;
}

}  // namespace isolate
