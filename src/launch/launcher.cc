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
#include <cstdint>

#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "launch/engine_descriptors.h"
#include "launch/first_process.h"
#include "launch/group_entry.h"
#include "launch/root_builder.h"
#include "linux/file.h"
#include "linux/gate.h"
#include "linux/keys.h"
#include "linux/mount.h"
#include "linux/own_program.h"
#include "linux/process.h"
#include "linux/process_table.h"
#include "linux/reporting_child.h"
#include "linux/signal_reset.h"
#include "linux/supplementary_groups.h"
#include "linux/terminal_mount.h"
#include "linux/user_namespace.h"
#include "stage/layout.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

class Launcher {
 public:
  Launcher(const RunPlan& plan, const LauncherFds& fds, Steps* steps, const Adoption* adoption, bool on_whole_machine)
      : plan_(plan),
        fds_(fds),
        steps_(*steps),
        adoption_(adoption),
        builder_(plan, fds.user_namespace, fds.held),
        on_whole_machine_(on_whole_machine) {}

  Result<void> run() {
    // Do this first: the kernel or the daemon allows it only to a process with the caller's ids in the caller's
    // namespaces.
    if (fds_.group) TRY_VOID(steps_.run("control-group", [this] { return enter_group(*fds_.group); }));
    if (is_beside()) {
      // No process in the lease's namespaces can enter the guest's, so a child puts the root together there and hands
      // it over.
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
    // Root opens everything that needs rights on the host before it enters the namespaces. An ordinary user has to
    // enter them first, because they have rights only inside.
    if (!plan_.ids.acts_as_root) TRY_VOID(steps_.run("namespaces", [this] { return enter_namespaces(); }));
    if (fds_.container_groups != nullptr && !is_builder_) {
      TRY_VOID(steps_.run("control-group", [this] { return enter_groups(); }));
    }
    TRY_VOID(steps_.run("sources", [this] { return open_sources(); }));
    for (const auto& warning : builder_.warnings()) log::warning(warning);
    if (plan_.ids.acts_as_root) TRY_VOID(steps_.run("namespaces", [this] { return enter_namespaces(); }));
    if (is_born_early()) TRY_VOID(steps_.run("first-process", [this] { return make_first_process(); }));
    TRY_VOID(steps_.run("stage", [this] { return builder_.attach_sources(); }));
    TRY_VOID(steps_.run("root", [this] { return mount_root(); }));
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
      TRY_VOID(steps_.run(step_name(plan_.mounts[i]), [this, i] { return builder_.mount_in_root(i); }));
    }
    return steps_.run("root-finish", [this]() -> Result<void> {
      TRY_VOID(builder_.finish());
      return is_builder_ ? builder_.hand_over(stage::path(stage::kOfRoot, stage::kDoor)) : Result<void>();
    });
  }

  // Call this when the child has finished the root. Programs and terminals are opened only now, because they must be in
  // the mount namespace that uses them.
  Result<void> enter_beside() {
    TRY_VOID(enter_user_namespace(fds_.nested_user_namespace));
    TRY(trace::check(::setns(fds_.nested_mount_namespace, CLONE_NEWNS), "setns", "mount namespace of the guest"));
    if (fds_.container_groups != nullptr) TRY_VOID(enter_groups());
    TRY_VOID(guard_programs());
    reopen_terminals();
    return builder_.take_over(stage::path(stage::kOfRoot, stage::kDoor));
  }

  Result<void> open_sources() {
    if (is_builder_) return builder_.open_sources();
    TRY_VOID(guard_programs());
    // Make /proc now: root's launcher is already in the engine's pid namespace, which belongs to the host's user
    // namespace. After entering the guest's user namespace, it would no longer have the right to mount that /proc.
    if (becomes_engine() && needs_own_proc()) own_proc_ = TRY(make_proc());
    reopen_terminals();
    if (fds_.root >= 0) builder_.take_root(Fd(fds_.root));
    return builder_.open_sources();
  }

  // A terminal that has no name in this mount namespace, or that somebody uses exclusively, can't be reopened. The
  // guest then gets the caller's own descriptor, and isolate restores the terminal at the end.
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

  // The guest sees processes of these programs: isolate-init, and for a moment isolate-lxc. With CAP_SYS_PTRACE it
  // reaches their files through /proc, and the files may belong to the root of an ordinary user's guest.
  Result<void> guard_programs() {
    if (!plan_.ids.acts_as_root) {
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
    for (const auto& group : *fds_.container_groups) TRY_VOID(group.enter());
    return {};
  }

  // The guest keeps the caller's supplementary groups only if a bind depends on one. This is decided here because
  // groups can be given up only in the user namespace, while the paths are still those that the caller sees.
  Result<void> enter_user_namespace(int user_namespace) {
    if (plan_.ids.acts_as_root) return become_root_in(user_namespace);
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
      if (mount.kind == MountKind::bind || mount.keeps_groups) sources.push_back(mount.source);
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
    if (plan_.ids.acts_as_root) TRY_VOID(let_go_of_other_clones());
    if (fds_.mount_namespace >= 0) {
      TRY_VOID(enter_user_namespace(fds_.user_namespace));
      TRY(trace::check(::setns(fds_.mount_namespace, CLONE_NEWNS), "setns", "mount namespace of the lease"));
      if (fds_.last_in_mount_namespace) return {};
      // The builder's mounts on the door have to propagate to the guest's namespace, so its copy must not make the door
      // private. All other mounts are private already.
      return is_builder_ ? mount::copy_namespace() : mount::new_namespace();
    }
    // Only root's chroot has no user namespace. Its ids are the host's, but it gives up root's supplementary groups.
    TRY_VOID(fds_.user_namespace >= 0 ? enter_user_namespace(fds_.user_namespace) : drop_groups());
    return mount::new_namespace();
  }

  // A copy of another clone's mount (a kept clone, or any clone of zfs-fuse) would keep that clone busy while this run
  // lasts. It has to be unmounted here: a mount namespace of a lower user namespace can't unmount it.
  static Result<void> let_go_of_other_clones() {
    if (mounted_clones().empty()) return {};
    TRY_VOID(mount::new_namespace());
    detach_mounted_clones();
    return {};
  }

  Result<void> mount_root() {
    // The caller made the clone's top directory, but "/" inside has to belong to the guest's root.
    if (plan_.ids.nested_private && !plan_.root.lower.empty()) {
      const std::string upper = stage::path(plan_.stage, stage::in_clone(stage::kUpper).c_str());
      TRY(trace::check(::lchown(upper.c_str(), 1, 1), "chown", upper));
    }
    return builder_.mount_root();
  }

  Result<void> join_nested() {
    Fd made;
    if (fds_.nested_user_namespace < 0) {
      prepare_to_map();
      made = TRY(make_user_namespace(nested_maps(plan_.ids), MapWriter::direct, process_limit()));
    }
    TRY_VOID(become_root_in(made ? made.get() : fds_.nested_user_namespace, groups_));
    TRY_VOID(mount::new_namespace());
    return builder_.reopen();
  }

  bool becomes_engine() const { return plan_.start == EngineStart::replaces_launcher; }

  // Whether the launcher does not enter the guest's own user namespace, because it makes the engine's process directly
  // inside it, where that process has a mount namespace of its own.
  bool engine_starts_nested() const { return plan_.ids.nested && !becomes_engine() && fds_.nested_user_namespace < 0; }

  ProcessLimit process_limit() const { return {plan_.ids.process_limit, std::nullopt}; }

  // A process that has changed its ids is not dumpable, and then can't write the id maps of its children.
  static void prepare_to_map() { ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
  // The engine ignores the signals that a terminal sends to its foreground: the command decides what they do.
  // isolate-init restores the default actions for the command.
  static void ignore_terminal_signals() {
    reset_signals();
    for (int number :
         {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU}) {
      ::signal(number, SIG_IGN);
    }
  }

  Result<void> start_engine() {
    if (first_process_) {
      first_process_->release();
      return {};
    }
    TRY_VOID(prepare_to_execute());
    if (becomes_engine()) return execute(plan_.engine.program, false);
    TRY(make_engine());
    return {};
  }

  // Making the engine's namespaces takes about as long as putting the root together, so the engine's process does it
  // meanwhile. It has the launcher's mount namespace, or copies it later, and so finds the finished root. If the
  // guest's own user namespace was made by the daemon, the root comes first.
  bool is_born_early() const {
    return !becomes_engine() && !is_builder_ && (!plan_.ids.nested || engine_starts_nested());
  }

  Result<void> make_first_process() {
    first_process_ = TRY(Gate::make());
    TRY(make_engine());
    return {};
  }

  Result<void> prepare_to_execute() {
    new_session_keyring();
    ignore_terminal_signals();
    if (plan_.engine.no_new_privileges) {
      TRY(trace::check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "no_new_privs"));
    }
    die_with_parent();
    // This is the last line of the trace: from here on standard error belongs to the engine.
    trace::line("execve " + text::join(confines_itself() ? plan_.init : plan_.engine.program, " "));
    return arrange_descriptors(fds_, &kept_);
  }

  bool confines_itself() const { return plan_.start == EngineStart::enters_root; }

  Result<ChildProcess> make_engine() {
    auto engine = [this] { return exit_code_of(become_engine()); };
    if (!engine_starts_nested()) return fork_to_execute(engine, namespaces_of_engine(), adoption_);
    prepare_to_map();
    auto nested = [&engine, this] {
      auto outcome = become_root(groups_);
      // A change of ids clears the parent-death signal. isolate may have died meanwhile, and getppid() can't show that
      // in a pid namespace.
      tie_to_parent(adoption_->pidfd());
      return outcome ? engine() : exit_code_of(outcome);
    };
    return fork_to_execute_below(nested, namespaces_of_engine(), nested_maps(plan_.ids), process_limit(), adoption_);
  }

  // Runs in the engine's process.
  Result<void> become_engine() {
    const bool has_network = confines_itself() || !needs_own_proc();
    if (confines_itself()) TRY_VOID(set_up_namespaces(plan_.engine));
    if (!confines_itself() && has_network) TRY_VOID(enter_own_network(plan_.engine));
    if (first_process_) {
      if (!first_process_->wait_to_go()) ::_exit(125);  // the launcher has reported its error
      TRY_VOID(prepare_to_execute());
    }
    if (!confines_itself()) return execute(plan_.engine.program, has_network);
    // In a namespace of its own the guest has copies of the mounts, which are locked for it.
    if (engine_starts_nested()) TRY_VOID(mount::copy_namespace());
    TRY_VOID(engine_starts_nested() ? builder_.reopen() : builder_.find_root());
    return become_init(plan_, builder_.root());
  }

  std::uint64_t namespaces_of_engine() const { return confines_itself() ? plan_.engine.own.namespaces : CLONE_NEWPID; }

  int exit_code_of(const Result<void>& outcome) const {
    if (!outcome) report_error(outcome.error());
    return 125;
  }

  // bwrap looks up its child in /proc by the child's number in the enclosing pid namespace, which is 2 or 3. On a
  // whole machine kernel threads have these numbers, so the entries exist. In a container they may not, or they may
  // vanish.
  bool needs_own_proc() const {
    constexpr const char* kFirstChild = "/proc/2/ns";
    return plan_.engine.looks_into_proc || !on_whole_machine_ || ::access(kFirstChild, F_OK) != 0;
  }

  Result<void> show_own_processes() const {
    if (!needs_own_proc()) return {};
    TRY_VOID(mount::new_namespace());
    Fd made;
    if (!own_proc_) made = TRY(make_proc());
    const auto place = TRY(open_file(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
    return mount::attach(own_proc_ ? own_proc_ : made, place.get(), "/proc");
  }

  Result<void> execute(const std::vector<std::string>& argv, bool has_network) const {
    TRY_VOID(show_own_processes());
    // Later than the /proc of its own, because in a container only that one may be writable.
    if (!has_network) TRY_VOID(enter_own_network(plan_.engine));
    auto arguments = pointer_array(argv);
    auto environment = pointer_array({});
    if (kept_.engine_program >= 0) {
      ::execveat(kept_.engine_program, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
    } else {
      ::execve(arguments[0], arguments.data(), environment.data());
    }
    return fail(errno, "start " + argv[0]);
  }

 public:
  void report_error(const Error& error) const {
    // One page always fits into the pipe, so this never waits for isolate. If the write fails, isolate is gone and
    // nobody reads the report.
    const auto text = error.packed().substr(0, 4096);
    [[maybe_unused]] auto written = write_all(kept_.report >= 0 ? kept_.report : fds_.report, text, "report");
  }

 private:
  const RunPlan& plan_;
  LauncherFds fds_;
  Steps& steps_;
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
  std::optional<Gate> first_process_;  // holds the guest's first process back until the root is finished
};

}  // namespace

Result<ChildProcess> launch(const RunPlan& plan, const LauncherFds& given, Steps* steps) {
  std::optional<Adoption> adoption;
  auto fds = given;
  const bool becomes_engine = plan.start == EngineStart::replaces_launcher;
  if (!becomes_engine) adoption = TRY(Adoption::prepare());
  const bool on_whole_machine = is_in_first_pid_namespace();
  auto body = [&] {
    Launcher launcher(plan, fds, steps, adoption ? &*adoption : nullptr, on_whole_machine);
    auto outcome = launcher.run();
    if (!outcome) launcher.report_error(outcome.error());
    return outcome ? 0 : 125;
  };
  auto launcher = TRY(fork_in_group(becomes_engine ? CLONE_NEWPID : 0, &fds.group, steps, body));
  if (becomes_engine) return launcher;
  auto engine = TRY(adoption->receive_child());
  if (!engine) return launcher;
  TRY(launcher.wait());
  return std::move(*engine);
}

}  // namespace isolate
