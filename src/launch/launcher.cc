#include "launch/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "launch/engine_descriptors.h"
#include "launch/own_program.h"
#include "launch/root_builder.h"
#include "linux/file.h"
#include "linux/keys.h"
#include "linux/mount.h"
#include "linux/network_namespace.h"
#include "linux/process.h"
#include "linux/process_table.h"
#include "linux/reporting_child.h"
#include "linux/root_path.h"
#include "linux/signal_reset.h"
#include "linux/supplementary_groups.h"
#include "linux/terminal_mount.h"
#include "linux/user_namespace.h"
#include "wire/init_protocol.h"
#include "wire/manager.h"

namespace isolate {
namespace {

// The map of a namespace below one that has the map `above`: its ids from `first` on, as 0 and up. An entry may not
// span two entries of the map above.
std::vector<IdMapEntry> nested_map(const std::vector<IdMapEntry>& above, std::uint32_t first) {
  std::vector<IdMapEntry> map;
  for (const auto& entry : above) {
    if (entry.inside >= first) map.push_back({entry.inside - first, entry.inside, entry.count});
  }
  return map;
}

class Launcher {
 public:
  Launcher(const RunPlan& plan, const LauncherFds& fds, Steps* steps, bool caller_is_root, const Adoption* adoption,
           bool on_whole_machine)
      : plan_(plan),
        fds_(fds),
        steps_(*steps),
        caller_is_root_(caller_is_root),
        adoption_(adoption),
        builder_(plan, fds.user_namespace),
        on_whole_machine_(on_whole_machine) {}

  Result<void> run() {
    // First of all, as the caller in his own namespaces.
    if (fds_.enter_group != nullptr) TRY_VOID(steps_.run("control-group", *fds_.enter_group));
    if (is_beside()) {
      // Nobody gets from the lease's namespaces into the guest's: a child puts the root together.
      TRY_VOID(TRY(ReportingChild::start([this] {
                 is_builder_ = true;
                 return build_root();
               })).finish());
      TRY_VOID(steps_.run("user-namespace-nested", [this] { return enter_beside(); }));
    } else {
      TRY_VOID(build_root());
      if (plan_.ids.nested && !engine_starts_nested()) {
        TRY_VOID(steps_.run("user-namespace-nested", [this] { return join_nested(); }));
      }
    }
    return steps_.run("engine", [this] { return start_engine(); });
  }

 private:
  // The daemon has made the guest's namespaces, and they don't lie below those of the lease.
  bool is_beside() const { return fds_.nested_mount_namespace >= 0; }

  Result<void> build_root() {
    // Root opens all that needs the host's rights first; an ordinary user has no rights but those inside.
    if (!caller_is_root_) TRY_VOID(steps_.run("namespaces", [this] { return enter_namespaces(); }));
    if (fds_.groups != nullptr && !is_builder_) {
      TRY_VOID(steps_.run("control-group", [this] { return enter_groups(); }));
    }
    TRY_VOID(steps_.run("sources", [this] { return open_sources(); }));
    for (const auto& warning : builder_.warnings()) log::warning(warning);
    if (caller_is_root_) TRY_VOID(steps_.run("namespaces", [this] { return enter_namespaces(); }));
    TRY_VOID(steps_.run("stage", [this] { return builder_.attach_sources(); }));
    TRY_VOID(steps_.run("root", [this] { return mount_root(); }));
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
      TRY_VOID(steps_.run(step_name(plan_.mounts[i]), [this, i] { return builder_.mount_in_root(i); }));
    }
    return steps_.run("root-finish", [this]() -> Result<void> {
      TRY_VOID(builder_.finish());
      return is_builder_ ? builder_.hand_over(wire::kLeaseDoor) : Result<void>();
    });
  }

  // The root is finished. Programs and terminals are opened in the mount namespace where they are used.
  Result<void> enter_beside() {
    TRY_VOID(enter_user_namespace(fds_.nested_user_namespace));
    TRY(trace::check(::setns(fds_.nested_mount_namespace, CLONE_NEWNS), "setns", "mount namespace of the guest"));
    if (fds_.groups != nullptr) TRY_VOID(enter_groups());
    TRY_VOID(guard_programs());
    reopen_terminals();
    return builder_.take_over(wire::kLeaseDoor);
  }

  Result<void> open_sources() {
    if (is_builder_) return builder_.open_sources();
    TRY_VOID(guard_programs());
    // Root's launcher is in the pid namespace of the engine already, which belongs to the user namespace outside.
    if (becomes_engine() && needs_own_proc()) own_proc_ = TRY(make_proc());
    reopen_terminals();
    if (fds_.root >= 0) builder_.take_root(Fd(fds_.root));
    return builder_.open_sources();
  }

  // What has no name here, or is used exclusively, the guest gets as it is; isolate puts that back at the end.
  void reopen_terminals() {
    for (std::size_t i = 0; i < terminals_.size(); ++i) {
      if (!fds_.streams.shared_terminals[i]) continue;
      auto mount = read_only_terminal(fds_.streams.numbers[i]);
      if (!mount) continue;
      auto terminal = reopen_terminal(fds_.streams.numbers[i], *mount);
      if (!terminal) continue;
      terminals_[i] = std::move(*terminal);
      fds_.streams.numbers[i] = terminals_[i].get();
    }
  }

  // Processes of these programs are seen in the guest: isolate-init, and for a moment isolate-lxc. To an ordinary
  // user's guest they may be files of root's, and with CAP_SYS_PTRACE they are reached by /proc.
  Result<void> guard_programs() {
    if (!caller_is_root_) {
      guarded_init_ = TRY(mount_read_only("isolate-init", fds_.init_program));
      fds_.init_program = guarded_init_.get();
    }
    if (fds_.engine_program >= 0) {
      guarded_engine_ = TRY(mount_read_only(plan_.engine.own_program, fds_.engine_program));
      fds_.engine_program = guarded_engine_.get();
    }
    return {};
  }

  Result<void> enter_groups() const {
    for (const auto& group : *fds_.groups) TRY_VOID(group.enter());
    return {};
  }

  // What a bind of the caller's depends on stays; otherwise groups are none of the guest's business. Here, since they
  // can be given up only in the user namespace, and the paths are those that the caller sees.
  Result<void> enter_user_namespace(int user_namespace) {
    if (caller_is_root_) return become_root_in(user_namespace);
    TRY_VOID(become_root_in(user_namespace, Groups::keep));
    if (plan_.groups == GroupsMode::keep || TRY(a_bind_keeps_groups())) {
      groups_ = Groups::keep;
      return {};
    }
    return drop_groups();
  }

  Result<bool> a_bind_keeps_groups() const {
    std::vector<std::string> sources;
    for (const auto& mount : plan_.mounts) {
      if (mount.kind == MountKind::bind) sources.push_back(mount.source);
    }
    if (sources.empty() || !has_supplementary_groups()) return false;
    const auto found = TRY(first_path_needing_groups(sources));
    if (found && plan_.groups == GroupsMode::drop && !is_builder_) {
      log::warning(fmt::format("bind {}: only a supplementary group gives you access, and --groups=drop gives it up",
                               text::printable(sources[*found])));
    }
    return found && plan_.groups == GroupsMode::automatic;
  }

  Result<void> enter_namespaces() {
    if (caller_is_root_) TRY_VOID(let_go_of_other_clones());
    if (fds_.mount_namespace >= 0) {
      TRY_VOID(enter_user_namespace(fds_.user_namespace));
      TRY(trace::check(::setns(fds_.mount_namespace, CLONE_NEWNS), "setns", "mount namespace of the lease"));
      if (fds_.last_in_mount_namespace) return {};
      // All of it is private but the door, which is to lead to the guest from a copy as well.
      return is_builder_ ? mount::copy_namespace() : mount::new_namespace();
    }
    // Only root with the chroot engine has none: the ids are the host's then, but not its groups.
    TRY_VOID(fds_.user_namespace >= 0 ? enter_user_namespace(fds_.user_namespace) : drop_groups());
    return mount::new_namespace();
  }

  // A copy of a mounted clone, kept or of zfs-fuse, would keep it busy for as long as this run lasts. In a namespace
  // below, mounts from above can't be taken off any more.
  static Result<void> let_go_of_other_clones() {
    if (mounted_clones().empty()) return {};
    TRY_VOID(mount::new_namespace());
    detach_mounted_clones();
    return {};
  }

  Result<void> mount_root() {
    // The clone's top directory was made by the caller; inside, "/" is to belong to root.
    if (plan_.ids.nested_private && !plan_.root.lower.empty()) {
      const std::string upper = plan_.stage + "/c/upper";
      TRY(trace::check(::lchown(upper.c_str(), 1, 1), "chown", upper));
    }
    return builder_.mount_root();
  }

  Result<void> join_nested() {
    Fd made;
    if (fds_.nested_user_namespace < 0) {
      prepare_to_map();
      made = TRY(make_user_namespace(nested_maps(), MapWriter::direct, process_limit()));
    }
    TRY_VOID(become_root_in(made ? made.get() : fds_.nested_user_namespace, groups_));
    TRY_VOID(mount::new_namespace());
    return builder_.reopen();
  }

  bool becomes_engine() const { return adoption_ == nullptr; }

  // A program that a launcher starts in a child, which can as well begin in the namespace below; it makes a mount
  // namespace of its own there.
  bool engine_starts_nested() const {
    return !plan_.engine.program.empty() && !caller_is_root_ && fds_.nested_user_namespace < 0;
  }

  IdMaps nested_maps() const {
    const unsigned first = plan_.ids.nested_private ? 1 : 0;
    return {nested_map(plan_.ids.maps.uid, first), nested_map(plan_.ids.maps.gid, first)};
  }

  ProcessLimit process_limit() const { return {plan_.ids.process_limit, std::nullopt}; }

  // A process that has changed its ids can't write the maps of its children unless it is dumpable.
  static void prepare_to_map() { ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }

  // The engine has to outlive what the terminal sends to all of the foreground: the command decides. isolate-init gives
  // the command the default actions back.
  static void ignore_terminal_signals() {
    reset_signals();
    for (int number :
         {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU}) {
      ::signal(number, SIG_IGN);
    }
  }

  Result<void> start_engine() {
    ::umask(plan_.umask);
    new_session_keyring();
    ignore_terminal_signals();
    if (plan_.engine.no_new_privileges) {
      TRY(trace::check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "no_new_privs"));
    }
    die_with_parent();
    // The last line of the trace: from here on standard error is that of the engine.
    trace::line("execve " + text::join(plan_.engine.program.empty() ? plan_.init : plan_.engine.program, " "));
    TRY_VOID(arrange_descriptors(fds_, &kept_));
    if (becomes_engine()) return execute(plan_.engine.program);
    TRY(make_engine());
    return {};
  }

  Result<ChildProcess> make_engine() {
    if (plan_.engine.program.empty()) {
      auto init = [this] { return failed(become_first_process()); };
      return fork_to_execute(init, CLONE_NEWPID | CLONE_NEWUTS, adoption_);
    }
    auto engine = [this] { return failed(execute(plan_.engine.program)); };
    const bool is_in_place = !plan_.ids.nested || fds_.nested_user_namespace >= 0;
    if (is_in_place) return fork_to_execute(engine, CLONE_NEWPID, adoption_);
    prepare_to_map();
    auto nested = [&engine, this] {
      auto outcome = become_root(groups_);
      // isolate may have died while the change of ids had untied this from it; getppid() tells nothing in here.
      tie_to_parent(adoption_->pidfd());
      return outcome ? engine() : failed(outcome);
    };
    return fork_to_execute_below(nested, CLONE_NEWPID, nested_maps(), process_limit(), adoption_);
  }

  int failed(const Result<void>& outcome) const {
    if (!outcome) report_error(outcome.error());
    return 125;
  }

  // bwrap looks its child up in /proc, by the number that it has in the pid namespace around the two, which is 2 or 3.
  // On a whole machine these are threads of the kernel; in a container there may be no such processes, or they may end.
  bool needs_own_proc() const {
    constexpr const char* kFirstChild = "/proc/2/ns";
    return plan_.engine.looks_into_proc || !on_whole_machine_ || ::access(kFirstChild, F_OK) != 0;
  }

  // Of the pid namespace that this process is in. It can be made by who has rights over that namespace only.
  static Result<Fd> make_proc() {
    return mount::make("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  }

  Result<void> show_own_processes() const {
    if (!needs_own_proc()) return {};
    TRY_VOID(mount::new_namespace());
    Fd made;
    if (!own_proc_) made = TRY(make_proc());
    const auto place = TRY(open_file(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
    return mount::attach(own_proc_ ? own_proc_ : made, place.get(), "/proc");
  }

  // A guest whose /proc/sys can't be written here works all the same: only ping is left to its root then.
  Result<void> enter_own_network() const {
    if (!plan_.engine.own_network) return {};
    TRY_VOID(new_network_namespace());
    [[maybe_unused]] auto range = allow_ping();
    return {};
  }

  Result<void> execute(const std::vector<std::string>& argv) const {
    TRY_VOID(show_own_processes());
    TRY_VOID(enter_own_network());
    auto arguments = pointer_array(argv);
    auto environment = pointer_array({});
    if (kept_.engine_program >= 0) {
      ::execveat(kept_.engine_program, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
    } else {
      ::execve(arguments[0], arguments.data(), environment.data());
    }
    return fail(errno, "start " + argv[0]);
  }

  Result<void> become_first_process() const {
    auto proc = TRY(make_proc());
    auto place = TRY(root_path::directory(builder_.root(), "/proc", false));
    TRY_VOID(mount::attach(proc, place.get(), "/proc"));
    TRY_VOID(cover_key_files(proc));
    TRY_VOID(mount::enter_root(builder_.root()));
    auto arguments = pointer_array(plan_.init);
    auto environment = pointer_array({});
    ::execveat(protocol::kProgramFd, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
    return fail(errno, "start isolate-init");
  }

 public:
  void report_error(const Error& error) const {
    // A page fits into each pipe: isolate reads after this process's end, and not at all when it is gone, ignoring.
    const auto text = error.packed().substr(0, 4096);
    [[maybe_unused]] auto written = write_all(kept_.report >= 0 ? kept_.report : fds_.report, text, "report");
  }

 private:
  const RunPlan& plan_;
  LauncherFds fds_;
  Steps& steps_;
  bool caller_is_root_;
  const Adoption* adoption_;  // null: the launcher becomes the engine
  RootBuilder builder_;
  Groups groups_ = Groups::drop;
  bool is_builder_ = false;  // this process ends when the root is finished
  Fd guarded_init_;
  Fd guarded_engine_;
  Fd own_proc_;
  bool on_whole_machine_;
  std::array<Fd, 3> terminals_;
  KeptDescriptors kept_;
};

}  // namespace

Result<ChildProcess> launch(const RunPlan& plan, const LauncherFds& fds, Steps* steps, bool caller_is_root) {
  std::optional<Adoption> adoption;
  // The engine is to be process 1 of a pid namespace: whatever it has started dies with it then, also what it has not
  // tied to itself yet. Root's launcher can be that already; an ordinary user has the right to make one only inside.
  // And only one that is made there has a /proc to be mounted in the run's namespaces.
  const bool becomes_engine = caller_is_root && !plan.engine.program.empty() && !plan.engine.looks_into_proc;
  if (!becomes_engine) adoption = TRY(Adoption::prepare());
  const bool on_whole_machine = is_in_first_pid_namespace();
  auto body = [&] {
    Launcher launcher(plan, fds, steps, caller_is_root, adoption ? &*adoption : nullptr, on_whole_machine);
    auto outcome = launcher.run();
    if (!outcome) launcher.report_error(outcome.error());
    return outcome ? 0 : 125;
  };
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  auto launcher = TRY(fork_to_execute(body, becomes_engine ? CLONE_NEWPID : 0));
  // It goes with the memory, which the launcher had in common with this process when it changed its ids.
  ::prctl(PR_SET_DUMPABLE, dumpable);
  if (becomes_engine) return launcher;
  auto engine = TRY(adoption->receive_child());
  if (!engine) return launcher;
  TRY(launcher.wait());
  return std::move(*engine);
}

}  // namespace isolate
