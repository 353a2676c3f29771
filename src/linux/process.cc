#include "linux/process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/trace.h"

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
  // proc(5), fdinfo of a pidfd: "Pid:" is the number in the pid namespace of this /proc.
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
  // Not yet reaped, so the pid is still this child's; it may be a zombie already, ignoring.
  if (pid_ > 0) ::kill(pid_, number);
}

void ChildProcess::kill_and_reap() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  auto ignored = wait();  // it is our child and it was killed, ignoring: nothing more can be done about it
}

void die_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

namespace {

// For a child to learn whether its parent lives: in a new pid namespace getppid() tells nothing.
Fd own_pidfd() { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))); }

// Dies with the parent, also if that has died already.
void tie_to_parent(int parent_pidfd) {
  die_with_parent();
  pollfd end{parent_pidfd, POLLIN, 0};
  if (::poll(&end, 1, 0) != 0) ::_exit(1);
}

}  // namespace

Result<ChildProcess> fork_child(std::uint64_t namespaces, const std::function<int()>& body) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = namespaces | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const Fd self = own_pidfd();
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) {
    tie_to_parent(self.get());
    ::_exit(body());
  }
  TRY(trace::check(pid, "clone3", "child"));
  return ChildProcess(static_cast<pid_t>(pid), Fd(pidfd));
}

namespace {

// While it lives, this process is who a namespace is to be counted for, and has the limit that the namespace is to
// have: the kernel takes both from who makes it.
class CountedMaker {
 public:
  static Result<CountedMaker> become(const ProcessLimit& processes) {
    CountedMaker maker;
    if (processes.most == UINT64_MAX) return maker;
    TRY(trace::check(::getrlimit(RLIMIT_NPROC, &maker.limit_before_), "getrlimit", "processes"));
    auto limit = maker.limit_before_;
    limit.rlim_cur = std::min(limit.rlim_max, static_cast<rlim_t>(processes.most));
    TRY(trace::check(::setrlimit(RLIMIT_NPROC, &limit), "setrlimit", "processes"));
    maker.has_limit_ = true;
    if (!processes.counted_as) return maker;
    // The capabilities stay, which the change of ids would take: they are needed where only root may make namespaces.
    TRY(trace::check(::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl", "securebits"));
    maker.has_securebits_ = true;
    const auto id = *processes.counted_as;
    TRY(trace::check(::syscall(SYS_setresuid, id, id, -1), "setresuid", "maker of a namespace"));
    maker.has_id_ = true;
    return maker;
  }
  CountedMaker(CountedMaker&& other) noexcept
      : limit_before_(other.limit_before_),
        has_limit_(std::exchange(other.has_limit_, false)),
        has_securebits_(std::exchange(other.has_securebits_, false)),
        has_id_(std::exchange(other.has_id_, false)) {}
  CountedMaker& operator=(CountedMaker&&) = delete;
  ~CountedMaker() {
    // Who could not become himself again must not go on as somebody else.
    if (has_id_ && ::syscall(SYS_setresuid, 0, 0, -1) != 0) ::abort();
    if (has_securebits_ && ::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) != 0) ::abort();
    if (has_limit_ && ::setrlimit(RLIMIT_NPROC, &limit_before_) != 0) ::abort();
  }

 private:
  CountedMaker() = default;
  rlimit limit_before_{};
  bool has_limit_ = false;
  bool has_securebits_ = false;
  bool has_id_ = false;
};

}  // namespace

#ifdef __SANITIZE_ADDRESS__

Result<ChildProcess> fork_to_execute(const std::function<int()>& body, std::uint64_t namespaces) {
  return fork_child(namespaces, body);
}

Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes) {
  const auto maker = TRY(CountedMaker::become(processes));
  return fork_child(CLONE_NEWUSER, [] {
    ::pause();
    return 0;
  });
}

#else

namespace {

class Stack {
 public:
  explicit Stack(std::size_t size)
      : size_(size),
        memory_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, size_);
  }
  bool valid() const { return memory_ != MAP_FAILED; }
  void* top() const { return static_cast<char*>(memory_) + size_; }

 private:
  std::size_t size_;
  void* memory_;
};

struct SharedChild {
  const std::function<int()>* body;
  int parent_pidfd;
};

int run_shared_child(void* argument) {
  const auto* child = static_cast<const SharedChild*>(argument);
  tie_to_parent(child->parent_pidfd);
  return (*child->body)();
}

int hold_namespace(void* parent_pidfd) {
  tie_to_parent(*static_cast<const int*>(parent_pidfd));
  // Locks and other files of the parent must not live on here.
  ::syscall(SYS_close_range, 0, ~0U, 0);
  ::pause();
  return 0;
}

Result<ChildProcess> clone_with_memory(int (*function)(void*), void* argument, const Stack& stack,
                                       std::uint64_t flags) {
  if (!stack.valid()) return fail(ENOMEM, "stack of a child");
  int pidfd = -1;
  const int pid =
      ::clone(function, stack.top(), static_cast<int>(CLONE_VM | CLONE_PIDFD | SIGCHLD | flags), argument, &pidfd);
  TRY(trace::check(pid, "clone", "child that shares memory"));
  return ChildProcess(pid, Fd(pidfd));
}

}  // namespace

Result<ChildProcess> fork_to_execute(const std::function<int()>& body, std::uint64_t namespaces) {
  constexpr std::size_t kStackSize = 1 << 20;  // only what is touched takes memory
  const Stack stack(kStackSize);
  const Fd self = own_pidfd();
  SharedChild child{&body, self.get()};
  return clone_with_memory(run_shared_child, &child, stack, CLONE_VFORK | namespaces);
}

Result<ChildProcess> fork_namespace_holder(const ProcessLimit& processes) {
  // Kept for good: the child stands on it until it is killed, and there is one at a time.
  static const Stack stack(1 << 14);
  const auto maker = TRY(CountedMaker::become(processes));
  // The child may look at it after this function has ended: for that it has a copy of the descriptor and this number.
  static int number;
  const Fd self = own_pidfd();
  number = self.get();
  return clone_with_memory(hold_namespace, &number, stack, CLONE_NEWUSER);
}

#endif

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
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
  // Also where it is in place already: that clears close-on-exec.
  if (from >= 0) ::posix_spawn_file_actions_adddup2(actions, from, to);
  if (from < 0 && flags_for_null >= 0) ::posix_spawn_file_actions_addopen(actions, to, "/dev/null", flags_for_null, 0);
}

// Reads what is there from `source` into `target`; false at its end.
bool drain(int source, std::string* target) {
  constexpr std::size_t kMost = 1 << 20;
  char buffer[4096];
  const ssize_t got = ::read(source, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (target->size() < kMost) target->append(buffer, static_cast<std::size_t>(got));
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
  sigfillset(&signals);
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

Result<Output> run_program(const std::vector<std::string>& argv) {
  int out[2];
  int err[2];
  TRY(trace::check(::pipe2(out, O_CLOEXEC), "pipe2", argv[0]));
  Fd out_read(out[0]);
  Fd out_write(out[1]);
  TRY(trace::check(::pipe2(err, O_CLOEXEC), "pipe2", argv[0]));
  Fd err_read(err[0]);
  Fd err_write(err[1]);
  auto child = TRY(spawn(argv, {-1, out_write.get(), err_write.get()}));
  out_write.reset();
  err_write.reset();

  Output output;
  pollfd sources[] = {{out_read.get(), POLLIN, 0}, {err_read.get(), POLLIN, 0}};
  std::string* targets[] = {&output.out, &output.err};
  int open_sources = 2;
  while (open_sources > 0) {
    if (::poll(sources, 2, -1) < 0 && errno != EINTR) return fail(errno, "poll " + argv[0]);
    for (int i = 0; i < 2; ++i) {
      if (sources[i].revents == 0 || drain(sources[i].fd, targets[i])) continue;
      sources[i].fd = -1;
      --open_sources;
    }
  }
  output.status = TRY(child.wait());
  return output;
}

}  // namespace isolate
