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

// LXC makes the container's control groups below the group that this process is in. That works only if the run has a
// group of its own, in which this process may make others.
bool has_control_group() {
  const auto group = own_control_group();
  return group && ::faccessat(AT_FDCWD, group->c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

Result<void> start(const Container& container, char** arguments) {
  container->want_daemonize(container.get(), false);
  if (container->start(container.get(), 0, arguments)) return {};
  return fail(lxc_error("LXC could not start the container"));
}

// Changes the role in the setup of isolate-init. The file is sealed, so this replaces it by a changed copy, which is
// sealed as well.
Result<void> set_role(protocol::Role role) {
  TRY(trace::check(::lseek(protocol::kSetupFd, 0, SEEK_SET), "lseek", "setup"));
  auto content = TRY(read_all(protocol::kSetupFd));
  protocol::Setup setup{};
  if (content.size() < sizeof setup) {
    return fail("the setup of isolate-init is too short; isolate and isolate-lxc may be of different versions");
  }
  std::memcpy(&setup, content.data(), sizeof setup);
  setup.role = role;
  content.replace(0, sizeof setup, reinterpret_cast<const char*>(&setup), sizeof setup);
  const auto file = TRY(sealed_file("isolate-setup", content));
  TRY(trace::check(::dup2(file.get(), protocol::kSetupFd), "dup2", "setup"));
  return {};
}

// Moves the descriptors of the isolate-init that runs the command out of the way, because the root's own init must not
// inherit them.
class KeptDescriptors {
 public:
  static Result<KeptDescriptors> set_aside() {
    KeptDescriptors kept;
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
  // A copy of the caller's standard error.
  int errors() const { return copies_[2].get(); }

 private:
  static constexpr std::array<int, 4> kNumbers = {protocol::kProgramFd, protocol::kControlFd, protocol::kErrorFd,
                                                  protocol::kSetupFd};
  std::array<Fd, 4> copies_;
};

struct Command {
  const KeptDescriptors* kept;
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

// LXC moves the new process to the container's control group and does nothing else for it. In particular LXC leaves its
// capabilities alone: isolate-init gives them up itself, and until then it has one that the root's init lacks
// (CAP_SYS_PTRACE). Therefore the init can't trace it (ptrace(2), "Ptrace access mode checking"). The process also does
// not copy properties of the init, such as its personality.
constexpr int kAttachFlags = LXC_ATTACH_MOVE_TO_CGROUP;

// Waits until the process has ended. The guest can stop this process, like any process that it sees. If it does,
// continue the process at once.
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

void end_container(const Container& container, bool in_order) {
  constexpr int kPatience = 3;  // seconds
  if (in_order) container->shutdown(container.get(), kPatience);
  container->stop(container.get());
}

// Waits until the container runs, starts the command in it, waits for the command's end, and ends the container.
Result<void> attach(const ContainerRequest& request, const std::optional<BootNotice>& notice, Command command) {
  constexpr int kPatience = 10;  // seconds
  const auto container = TRY(make_container(request));
  // If the container does not run, run_system() in the other process reports the reason.
  if (!container->wait(container.get(), "RUNNING", kPatience)) return {};
  if (notice) notice->wait(command.kept->errors());
  // LXC forks this process into the container. A process that is not dumpable keeps the root's init from reaching,
  // through /proc, its descriptors and the host's file that it executes.
  TRY(trace::check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl", "dumpable"));
  lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
  options.attach_flags = kAttachFlags;
  options.env_policy = LXC_ATTACH_CLEAR_ENV;
  pid_t pid = -1;
  const bool attached = container->attach(container.get(), become_init, &command, &options, &pid) == 0;
  if (attached) wait_for_end(pid);
  // If attaching failed because the init has ended meanwhile, run_system() reports that.
  constexpr int kMoment = 1;  // seconds
  if (!attached && container->wait(container.get(), "STOPPED", kMoment)) return {};
  // The system ends with the command, and also if the command could not be started.
  end_container(container, attached && request.shuts_down);
  if (!attached) return fail(lxc_error("LXC could not attach to the container"));
  return {};
}

Result<void> run_system(const ContainerRequest& request, const SystemInit& system, char** init) {
  TRY_VOID(set_role(protocol::Role::beside));
  const auto kept = TRY(KeptDescriptors::set_aside());
  std::optional<BootNotice> notice;
  if (system.reports_boot) notice = TRY(BootNotice::listen(notify_socket()));
  // Use clone(2) without an exit signal. When LXC can't start a container, it waits for all children that have one, and
  // would wait for this child. The child can't outlive this process, which is the first one of its pid namespace.
  if (TRY(trace::check(::syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0), "clone", "attacher")) == 0) {
    auto outcome = attach(request, notice, {&kept, init});
    if (!outcome) ::dprintf(STDERR_FILENO, "%s\n", outcome.error().message().c_str());
    ::_exit(0);
  }
  const auto container = TRY(make_container(request));
  char directory[] = "/";
  char* arguments[] = {init[0], directory, nullptr};
  TRY_VOID(start(container, arguments));
  // This also happens when the command has ended and attach() has ended the container. The error does no harm then,
  // because isolate already has the command's status.
  return fail("the root's init has ended");
}

// Keeps programs that this process executes from inheriting the descriptors that are meant for this process only. A run
// may lack some of them, and fcntl() then fails, which is fine.
void keep_own_descriptors() {
  for (const int number : {protocol::kBootSetupFd, protocol::kBridgeFd, protocol::kLogFd}) {
    ::fcntl(number, F_SETFD, FD_CLOEXEC);
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
        "isolate: warning: the root's init is not booted, because that needs a control group of your own; the command "
        "runs without it; to boot it: systemd-run --user --scope -p Delegate=yes isolate ...\n");
  }
  return start(TRY(make_container(request)), init);
}

}  // namespace isolate::lxc
