#include "lxc/run.h"

#include <fcntl.h>
#include <lxc/attach_options.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/fd.h"
#include "base/trace.h"
#include "limits/cgroup.h"
#include "linux/file.h"
#include "linux/sealed_file.h"
#include "lxc/boot.h"
#include "wire/init_protocol.h"

namespace isolate::lxc {
namespace {

// LXC makes groups in the one that this process is in, for which that must be the run's own.
bool has_control_group() {
  const auto group = own_control_group();
  return group && ::faccessat(AT_FDCWD, group->c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

Result<void> start(const Container& container, char** arguments) {
  container->want_daemonize(container.get(), false);
  if (container->start(container.get(), 0, arguments)) return {};
  return fail(lxc_error("LXC could not start the container"));
}

// Puts a copy of the setup, which is sealed too, in its place: for the isolate-init that is attached to the system.
Result<void> set_role(protocol::Role role) {
  TRY(trace::check(::lseek(protocol::kSetupFd, 0, SEEK_SET), "lseek", "setup"));
  auto content = TRY(read_all(protocol::kSetupFd));
  protocol::Setup setup{};
  if (content.size() < sizeof setup) return fail("the setup of isolate-init is too short");
  std::memcpy(&setup, content.data(), sizeof setup);
  setup.role = role;
  content.replace(0, sizeof setup, reinterpret_cast<const char*>(&setup), sizeof setup);
  const auto file = TRY(sealed_file("isolate-setup", content));
  TRY(trace::check(::dup2(file.get(), protocol::kSetupFd), "dup2", "setup"));
  return {};
}

// isolate-init's descriptors, which the root's own init is not to have.
class Kept {
 public:
  static Result<Kept> take() {
    Kept kept;
    for (std::size_t i = 0; i < kNumbers.size(); ++i) {
      kept.copies_[i] = Fd(static_cast<int>(
          TRY(trace::check(::fcntl(kNumbers[i], F_DUPFD_CLOEXEC, protocol::kLastFd + 1), "dup", "descriptor"))));
    }
    ::close(protocol::kControlFd);
    ::close(protocol::kErrorFd);
    TRY(trace::check(::dup2(protocol::kBootSetupFd, protocol::kSetupFd), "dup2", "setup"));
    return kept;
  }
  bool put_back() const {
    for (std::size_t i = 0; i < kNumbers.size(); ++i) {
      if (::dup2(copies_[i].get(), kNumbers[i]) < 0) return false;
    }
    return true;
  }
  // The caller's standard error.
  int errors() const { return copies_[2].get(); }

 private:
  static constexpr std::array<int, 4> kNumbers = {protocol::kProgramFd, protocol::kControlFd, protocol::kErrorFd,
                                                  protocol::kSetupFd};
  std::array<Fd, 4> copies_;
};

struct Command {
  const Kept* kept;
  char** init;
};

int become_init(void* argument) {
  const auto* command = static_cast<const Command*>(argument);
  static char* none[] = {nullptr};
  if (command->kept->put_back()) {
    ::execveat(protocol::kProgramFd, "", command->init, none, AT_EMPTY_PATH);
  }
  return 127;
}

// What LXC does for the new process. It leaves its capabilities alone: isolate-init gives them up itself, and until
// then it has one that the root's init lacks (CAP_SYS_PTRACE), so that the init can't trace it (ptrace(2), "Ptrace
// access mode checking"). Nothing of the init's own is taken on, such as its personality.
constexpr int kAttachFlags = LXC_ATTACH_MOVE_TO_CGROUP;

// Until the process has ended. The guest may stop it, as it may stop any process that it sees; then it goes on at once.
void wait_for_end(pid_t pid) {
  int status = 0;
  while (true) {
    const pid_t got = ::waitpid(pid, &status, WUNTRACED);
    if (got < 0 && errno != EINTR) return;
    if (got < 0) continue;
    if (!WIFSTOPPED(status)) return;
    ::kill(pid, SIGCONT);
  }
}

void end(const Container& container, bool in_order) {
  constexpr int kPatience = 3;  // seconds
  if (in_order) container->shutdown(container.get(), kPatience);
  container->stop(container.get());
}

// Waits until the container runs, and for the command in it.
Result<void> attach(const ContainerRequest& request, const std::optional<BootNotice>& notice, Command command) {
  constexpr int kPatience = 10;  // seconds
  const auto container = TRY(make_container(request));
  // Where it does not run, who has started it says why.
  if (!container->wait(container.get(), "RUNNING", kPatience)) return {};
  if (notice) notice->wait(command.kept->errors());
  // LXC makes copies of this process in the container. The root's init must reach neither their descriptors nor the
  // host's file that they execute.
  TRY(trace::check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl", "dumpable"));
  lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
  options.attach_flags = kAttachFlags;
  options.env_policy = LXC_ATTACH_CLEAR_ENV;
  pid_t pid = -1;
  const bool attached = container->attach(container.get(), become_init, &command, &options, &pid) == 0;
  if (attached) wait_for_end(pid);
  // An init that has ended meanwhile is told of by who has started it.
  constexpr int kMoment = 1;  // seconds
  if (!attached && container->wait(container.get(), "STOPPED", kMoment)) return {};
  // With the command ends the system; without it, too.
  end(container, attached && request.shuts_down);
  if (!attached) return fail(lxc_error("LXC could not attach to the container"));
  return {};
}

Result<void> run_system(const ContainerRequest& request, const SystemInit& system, char** init) {
  TRY_VOID(set_role(protocol::Role::beside));
  const auto kept = TRY(Kept::take());
  std::optional<BootNotice> notice;
  if (system.tells_when_booted) notice = TRY(BootNotice::listen(notify_socket()));
  // A child that sends no signal at its end: LXC waits for all children of the common kind when it can't start a
  // container. It goes with this process, which is the first of its pid namespace.
  if (TRY(trace::check(::syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0), "clone", "attacher")) == 0) {
    auto outcome = attach(request, notice, {&kept, init});
    if (!outcome) ::dprintf(STDERR_FILENO, "%s\n", outcome.error().message().c_str());
    ::_exit(0);
  }
  const auto container = TRY(make_container(request));
  char directory[] = "/";
  char* arguments[] = {init[0], directory, nullptr};
  TRY_VOID(start(container, arguments));
  // Where the command has ended before, nobody asks any more.
  return fail("the root's init has ended");
}

// What is for this process alone is not to be left to those that it starts.
void keep_own_descriptors() {
  for (const int number : {protocol::kBootSetupFd, protocol::kBridgeFd, protocol::kLogFd}) {
    ::fcntl(number, F_SETFD, FD_CLOEXEC);  // of those that are there
  }
}

}  // namespace

Result<void> run_container(ContainerRequest request, char** init) {
  keep_own_descriptors();
  TRY_VOID(prepare(&request));
  const auto system = find_init(request.root);
  if (system && has_control_group()) {
    request.boots = true;
    return run_system(request, *system, init);
  }
  if (system) {
    ::dprintf(
        protocol::kErrorFd,
        "isolate: warning: the root has an init, which can't be booted: that takes a control group of your own; the "
        "command runs without it (with one: systemd-run --user --scope -p Delegate=yes isolate ...)\n");
  }
  return start(TRY(make_container(request)), init);
}

}  // namespace isolate::lxc
