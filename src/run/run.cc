#include "run/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "acquire/reaper.h"
#include "acquire/root_provider.h"
#include "base/log.h"
#include "base/steps.h"
#include "base/trace.h"
#include "join/exec_listener.h"
#include "launch/container_support.h"
#include "launch/guest_streams.h"
#include "launch/hooks.h"
#include "launch/init_setup.h"
#include "launch/launcher.h"
#include "limits/guest_group.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/own_program.h"
#include "plan/plan.h"
#include "pool/member_range.h"
#include "request/limit_wishes.h"
#include "request/store_path.h"
#include "run/cleanup_process.h"
#include "share/locale.h"
#include "stage/layout.h"
#include "supervise/status_stream.h"
#include "supervise/supervisor.h"

namespace isolate {
namespace {

// One run. It calls the rooms in the order in which a run passes through them: acquire, plan, launch, supervise.
class Run {
 public:
  // The caller's umask must not change the modes of the files that isolate makes, so isolate sets its own and keeps the
  // caller's for the command and the hooks.
  Run(const RunRequest& request, OwnerNamespace* owner, Steps steps, StatusStream status)
      : request_(request),
        owner_(*owner),
        steps_(std::move(steps)),
        status_(std::move(status)),
        group_(limit_wishes(request), request.engine == EngineKind::lxc),
        umask_(::umask(022)) {}

  // Does the whole run and returns the exit status. `lease` is a lease that the caller holds already. If it is null,
  // the request says where the root comes from.
  int run_and_report(const Lease* lease) {
    auto outcome = run_on_root(lease);
    if (!outcome) {
      log::error(outcome.error().message());
      status_.report_failure(steps_.first_failure().empty() ? "options" : steps_.first_failure(),
                             outcome.error().message());
    }
    if (request_.timings) {
      for (const auto& line : steps_.timing_lines()) ::dprintf(STDERR_FILENO, "%s\n", line.c_str());
    }
    return outcome ? *outcome : kOwnFailure;
  }

 private:
  Result<int> run_on_root(const Lease* lease) {
    provider_ = lease != nullptr ? provider_of(*lease) : TRY(provider_for(request_, &owner_));
    auto outcome = acquire_and_execute();
    root_.reset();  // a run that failed early still holds the mount, which would keep the clone busy
    if (!outcome || !cleanup_.can_run()) return combine(std::move(outcome), give_back());
    if (auto ended = provider_->end_use(&steps_); !ended) {
      return combine(combine(std::move(outcome), std::move(ended)), give_back());
    }
    return leave_cleanup_to_child(std::move(outcome));
  }

  Result<void> give_back() {
    cleanup_.close_namespaces();
    return provider_->give_back(&steps_);
  }

  Result<int> leave_cleanup_to_child(Result<int> outcome) {
    // End what the shares have started before isolate exits. The child only removes clones.
    held_.clear();
    terminal_.reset();
    status_.close();
    if (!cleanup_.fork_after_closing()) return outcome;
    // Nobody sees an error any more. The next run of this template finds what is left, and reports errors.
    static_cast<void>(give_back());
    ::_exit(0);
  }

  Result<int> acquire_and_execute() {
    TRY_VOID(provider_->prepare(&group_, &steps_));
    auto facts = TRY(steps_.run("facts", [this] { return look_up(); }));
    const auto root = TRY(provider_->acquire(&steps_));
    TRY_VOID(steps_.run("plan", [&] { return plan(root, std::move(facts)); }));
    return request_.dry_run ? print_plan() : execute();
  }

  Result<CallerFacts> look_up() {
    terminal_ = ControllingTerminal::open();
    auto facts = TRY(look_up_facts(request_, owner_.caller(), umask_));
    facts.has_controlling_terminal = terminal_.has_value();
    return facts;
  }

  Result<void> plan(AcquiredRoot root, CallerFacts facts) {
    if (!root.maps) {
      facts.ids = TRY(find_ids(request_, &owner_, &range_lock_));
      root.owner = TRY(provider_->owner());
      root_ = provider_->take_mounted_root();
    }
    facts.group_limits = group_.limits();
    facts.control_group = group_.describe();
    settle_locale(root.source.lower.empty() ? std::vector{root.source.directory} : root.source.lower, &facts.shares);
    plan_ = TRY(make_plan(request_, root, facts));
    // isolate restores the caller's terminal at the end of the run. A guest without a terminal can't have changed it.
    if (!plan_.own_terminal && facts.standard_terminals == 0) terminal_.reset();
    return {};
  }

  Result<int> print_plan() const {
    for (const auto& line : describe(plan_)) ::printf("%s\n", line.c_str());
    if (::fflush(stdout) != 0) return fail(errno, "write to standard output");
    return 0;
  }

  Result<int> execute() {
    for (const auto& warning : plan_.warnings) log::warning(warning);
    if (request_.engine == EngineKind::lxc) {
      container_ = TRY(ContainerSupport::prepare(request_.lxc, plan_, owner_.caller()));
    }
    auto streams = TRY(steps_.run("streams", [this] { return GuestStreams::prepare(stream_options()); }));
    held_ = TRY(steps_.run("shares", [this] { return start_shares(plan_.mounts, share_context()); }));
    const int user_namespace = TRY(steps_.run("user-namespace", [this] { return open_user_namespace(); }));
    auto outcome = hooked_spawn(user_namespace, &streams);
    if (container_) container_->end();
    if (request_.post_hook.empty()) return outcome;
    // Run this hook even after a failure, because it may have to undo what the first hook did.
    auto post = steps_.run("post-hook", [&] { return hook("POST_SPAWN_HOOK", request_.post_hook, user_namespace); });
    return combine(std::move(outcome), std::move(post));
  }

  ShareContext share_context() const {
    ShareContext context{request_, owner_.caller(), plan_.clone_id, guest_is_caller(plan_, owner_.caller()), 0, 0};
    if (plan_.ids.new_namespace) {
      context.root_uid = plan_.ids.maps.uid.front().outside;
      context.root_gid = plan_.ids.maps.gid.front().outside;
    }
    return context;
  }

  StreamOptions stream_options() const {
    StreamOptions options;
    // With --pty the guest's own terminal takes the place of all three streams.
    if (plan_.own_terminal) options.is_needed = {false, false, false};
    options.is_boundary = plan_.ids.new_namespace;
    options.ignore_interrupt = request_.ignore_interrupt;
    options.guest_uids = plan_.ids.maps.uid;
    // The caller's id is only in the namespace above the guest's.
    if (plan_.ids.nested_private) options.guest_uids.erase(options.guest_uids.begin());
    if (owner_.caller().is_root() && options.is_boundary) {
      options.terminal_owner = TerminalOwner{plan_.ids.maps.uid.front().outside, kFirstRange};
    }
    return options;
  }

  Result<int> hooked_spawn(int user_namespace, GuestStreams* streams) {
    if (!request_.pre_hook.empty()) {
      TRY_VOID(steps_.run("pre-hook", [&] { return hook("PRE_SPAWN_HOOK", request_.pre_hook, user_namespace); }));
    }
    return spawn_and_wait(user_namespace, streams);
  }

  Result<int> open_user_namespace() {
    if (const int leased = provider_->namespaces().user; leased >= 0) return leased;
    if (!plan_.ids.new_namespace) return -1;
    // The owner's namespace has the same ids, and isolate needs it anyway to remove the clone. So the guest uses it
    // too.
    if (!owner_.caller().is_root() && plan_.ids.maps == owner_.ids().maps) return owner_.descriptor();
    ProcessLimit processes;
    // The kernel counts all processes of the user who makes the namespace. For root that would include the host's
    // processes, so an id that only this run has makes the namespace.
    if (plan_.ids.acts_as_root && plan_.ids.process_limit != kUnlimited)
      processes = {plan_.ids.process_limit, plan_.ids.maps.uid.front().outside};
    pending_namespace_ = TRY(PendingUserNamespace::start(plan_.ids.maps, plan_.ids.writer, processes));
    user_namespace_ = TRY(pending_namespace_.finish());
    return user_namespace_.get();
  }

  Result<void> hook(const char* name, const std::string& command, int user_namespace) {
    const auto leased = provider_->namespaces();
    std::string stage_path = plan_.stage;
    if (leased.mount >= 0) {
      stage_path = stage::kOfRoot;
    } else if (!owner_.caller().is_root() && !plan_.root.lower.empty()) {
      stage_path = TRY(store_path(request_.store, owner_.caller())) + "/stage";
    }
    return run_hook(name, command, plan_, owner_.caller(), {user_namespace, leased.mount}, stage_path);
  }

  Result<int> spawn_and_wait(int user_namespace, GuestStreams* streams) {
    auto init = TRY(open_own_program("isolate-init"));
    Fd engine;
    if (!plan_.engine.own_program.empty()) engine = TRY(open_own_program(plan_.engine.own_program));
    auto setup = TRY(make_init_setup(plan_));
    TRY_VOID(make_group());
    if (container_) TRY_VOID(container_->start(plan_, owner_.caller(), user_namespace, group_));
    const SupervisorOptions options{request_.ignore_interrupt, plan_.own_terminal,
                                    std::chrono::milliseconds(request_.timeout), plan_.own_session,
                                    plan_.engine.ends_in_order};
    auto supervisor = TRY(Supervisor::make(options, std::move(terminal_)));
    auto launcher = TRY(steps_.run("launch", [&] {
      const auto leased = provider_->namespaces();
      LauncherFds fds;
      fds.user_namespace = user_namespace;
      fds.mount_namespace = leased.mount;
      fds.root = root_.get();
      fds.nested_user_namespace = leased.guest_user;
      fds.nested_mount_namespace = leased.guest_mount;
      fds.init_program = init.get();
      fds.engine_program = engine.get();
      fds.control = supervisor.guest_control().get();
      fds.setup = setup.get();
      fds.report = supervisor.report_writer().get();
      fds.streams = streams->descriptors();
      fds.held = &held_;
      fds.last_in_mount_namespace = request_.post_hook.empty();
      if (container_) container_->hand_to(&fds);
      fds.group = group_.entry();
      return launch(plan_, fds, &steps_);
    }));
    // The guest has the mount now. If isolate kept its descriptor, the clone would stay busy after the guest's end.
    root_.reset();
    // Only a hook after the command needs these namespaces. Otherwise drop them now, so that the kernel frees their
    // mounts together with the guest, while isolate waits for the guest's end anyway.
    if (request_.post_hook.empty()) provider_->let_go_of_mount_namespaces();
    TRY_VOID(steps_.run("copiers", [&] { return streams->start(launcher.pidfd()); }));
    return wait_for_end(&supervisor, std::move(launcher), streams);
  }

  Result<int> wait_for_end(Supervisor* supervisor, ChildProcess launcher, GuestStreams* streams) {
    std::optional<ExecListener> listener;
    // Do this now, because the engine is starting meanwhile. If the socket can't be made, the run goes on without it,
    // and isolatectl exec reports that.
    TRY_VOID(steps_.run("exec-socket", [&]() -> Result<void> {
      if (auto opened = listen_for_commands()) listener.emplace(std::move(*opened));
      return {};
    }));
    if (listener) supervisor->take_commands(&*listener);
    if (wants_cleanup_process()) cleanup_.prepare(provider_->pool()->state_path("ended"));
    const pid_t engine = launcher.pid();
    auto outcome = supervisor->wait(std::move(launcher), [&](pid_t pid) {
      steps_.record_since_last("engine-start");
      status_.report_start(pid, plan_.clone_id);
      group_.report_missing_limits();
      if (listener) listener->sweep();
      if (auto* pool = provider_->pool(); pool != nullptr && reaper_.start(pool)) cleanup_.give_up();
      if (cleanup_.can_run() && may_keep_mounts()) {
        for (const pid_t process : {engine, pid}) cleanup_.keep_mounts_of(process);
      }
    });
    steps_.record_since_last("run");
    auto written = streams->finish(outcome && !outcome->timed_out && !outcome->was_told_to_end);
    if (!cleanup_.can_run()) reaper_.end();
    // Remove the container's groups first, because they lie below the guest's group.
    if (container_) container_->end();
    group_.end(container_ && container_->is_out_of_memory(), &steps_);
    if (outcome) return conclude(*outcome, outcome->check_output(std::move(written)));
    return fail(group_.with_shortage(std::move(outcome).error()));
  }

  // Whether the guest's mounts may last until the child has ended. Not if a hook undoes what another has mounted, or
  // the caller may want to unmount what they have shown to the guest.
  bool may_keep_mounts() const {
    return request_.post_hook.empty() && std::none_of(plan_.mounts.begin(), plan_.mounts.end(),
                                                      [](const auto& mount) { return mount.kind == MountKind::bind; });
  }

  // Whether a child may remove the clone after isolate has exited. Not if the caller asked isolate to wait (--sync),
  // keeps the clone, or wants to see the steps of the removal (--timings, --trace).
  bool wants_cleanup_process() const {
    constexpr std::size_t kMostAtATime = 8;
    if (provider_->pool() == nullptr || request_.sync || request_.keep || request_.timings || trace::enabled()) {
      return false;
    }
    // If clones are waiting already, remove this one before isolate exits. Otherwise a caller that starts runs faster
    // than clones can be removed would fill the store.
    const auto removed = list_directory(AT_FDCWD, provider_->pool()->state_path("trash"));
    return removed && removed->size() < kMostAtATime;
  }

  Result<void> make_group() {
    if (provider_->namespaces().user < 0) return group_.make(plan_.clone_id, &steps_);
    if (const auto group = provider_->group(); !group.empty()) group_.use(group, plan_.clone_id);
    return {};
  }

  Result<ExecListener> listen_for_commands() const {
    if (plan_.template_name.empty()) return fail("no lease");
    return ExecListener::open_for(owner_.caller(), TRY(store_path(request_.store, owner_.caller())), plan_.clone_id);
  }

  // The exit status of the whole run. `written` says whether the guest's output reached the caller; it decides the
  // status only if the command itself succeeded.
  Result<int> conclude(const RunOutcome& outcome, Result<int> written) {
    TRY_VOID(outcome.check_setup(plan_.working_directory));
    if (outcome.exec_error != 0) {
      const auto reason = outcome.start_error(request_.command[0]);
      log::error(reason);
      status_.report_failure("command", reason);
      return outcome.exit_status();
    }
    if (!outcome.engine_error.empty()) log::warning(outcome.engine_error);
    const auto ended = outcome.ended.value_or(ExitStatus{true, SIGKILL});
    if (group_.is_out_of_memory()) log::warning(group_.notice_of_kill(ended));
    status_.report_end(ended, outcome.timed_out, group_.is_out_of_memory());
    const int status = outcome.exit_status();
    if (!written) return combine(status, fail(std::move(written).error()));
    return status == 0 ? *written : status;
  }

  // Merges a failure after the command into the command's outcome. isolate reports the failure, which decides the exit
  // status only if the command succeeded.
  static Result<int> combine(Result<int> outcome, Result<void> after) {
    if (!after && !outcome) log::warning(after.error().message());
    if (after || !outcome) return outcome;
    if (*outcome == 0) return fail(std::move(after).error());
    log::warning(after.error().message());
    return outcome;
  }

  const RunRequest& request_;
  OwnerNamespace& owner_;
  Steps steps_;
  StatusStream status_;
  std::unique_ptr<RootProvider> provider_;
  std::optional<ContainerSupport> container_;  // with the engine lxc
  Reaper reaper_;                              // removes clones that killed runs have left
  GuestGroup group_;
  std::vector<std::unique_ptr<Held>> held_;  // of each mount of the plan, what its share holds until the run ends
  CleanupProcess cleanup_;
  FileLock range_lock_;  // while this run holds it, no other run gets its ids
  RunPlan plan_;
  Fd root_;  // a detached mount, if the root is a file system of its own (ZFS); empty once the guest has the mount
  PendingUserNamespace pending_namespace_;
  Fd user_namespace_;
  std::optional<ControllingTerminal> terminal_;
  mode_t umask_;
};

int run_with(RunRequest request, OwnerNamespace* owner, const Lease* lease) {
  expand_presets(&request);
  auto steps = Steps::make();
  auto status = StatusStream::open(request.status_fd);
  if (!steps || !status) {
    log::error(!steps ? steps.error().message() : status.error().message());
    return kOwnFailure;
  }
  if (!request.dry_run) hold_signals();
  return Run(request, owner, std::move(*steps), std::move(*status)).run_and_report(lease);
}

}  // namespace

int run(const RunRequest& request) {
  OwnerNamespace owner(Caller::current());
  return run_with(request, &owner, nullptr);
}

int run_on_lease(const RunRequest& request, const Lease& lease, OwnerNamespace* owner) {
  return run_with(request, owner, &lease);
}

}  // namespace isolate
