#include "run/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

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
#include "request/limit_wishes.h"
#include "request/store_path.h"
#include "run/cleanup_process.h"
#include "run/conclusion.h"
#include "run/guest_context.h"
#include "run/hold.h"
#include "share/locale.h"
#include "stage/layout.h"
#include "supervise/status_stream.h"
#include "supervise/supervisor.h"
#include "warm/warm_run.h"

namespace isolate {
namespace {

// One run. It calls the rooms in the order in which a run passes through them: acquire, plan, launch, supervise.
class Run {
 public:
  // The caller's umask must not change the modes of the files that isolate makes, so isolate sets its own and keeps the
  // caller's for the command and the hooks.
  Run(RunRequest request, OwnerNamespace* owner, Steps steps, StatusStream status)
      : request_(std::move(request)),
        owner_(*owner),
        steps_(std::move(steps)),
        status_(std::move(status)),
        group_(limit_wishes(request_), request_.engine == EngineKind::lxc),
        umask_(::umask(022)) {}

  // Does the whole run and returns the exit status. `lease` is a lease that the caller holds already. If it is null,
  // the request says where the root comes from.
  int run_and_report(const Lease* lease) {
    const int status = report(run_on_root(lease));
    if (held_guest_.caller) end_for_caller(status);
    return status;
  }

 private:
  int report(const Result<int>& outcome) {
    if (held_guest_.caller && held_guest_.caller->is_gone()) return kOwnFailure;  // nobody reads it any more
    if (!outcome) {
      held_guest_.print_messages();
      log::error(outcome.error().message());
      status_.report_failure(
          steps_.first_failure().empty() ? (held_guest_.caller ? "begin" : "options") : steps_.first_failure(),
          outcome.error().message());
    }
    if (request_.timings) {
      for (const auto& line : steps_.timing_lines()) ::dprintf(STDERR_FILENO, "%s\n", line.c_str());
    }
    return outcome ? *outcome : kOwnFailure;
  }

  Result<int> run_on_root(const Lease* lease) {
    provider_ = lease != nullptr ? provider_of(*lease) : TRY(provider_for(request_, &owner_));
    auto outcome = acquire_and_execute();
    root_.reset();  // a run that failed early still holds the mount, which would keep the clone busy
    if (held_guest_.caller && !request_.sync) return combine(std::move(outcome), provider_->end_use(&steps_));
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

  // The run that has taken this guest gets its exit status before the clone is removed.
  void end_for_caller(int status) {
    held_.clear();
    status_.close();
    held_guest_.end(status);
    if (!request_.sync) static_cast<void>(give_back());
  }

  Result<int> leave_cleanup_to_child(Result<int> outcome) {
    // End what the shares have started before isolate exits. The child only removes clones.
    held_.clear();
    terminal_.reset();
    status_.close();
    if (!cleanup_.fork_after_closing()) return outcome;
    // Nobody sees an error now. The next run of this template finds what is left.
    static_cast<void>(give_back());
    ::_exit(0);
  }

  Result<int> acquire_and_execute() {
    if (request_.hold) TRY_VOID(held_guest_.prepare(request_));
    TRY_VOID(provider_->prepare(&group_, &steps_));
    auto facts = TRY(steps_.run("facts", [this] { return look_up(); }));
    const auto root = TRY(provider_->acquire(&steps_));
    if (request_.hold) TRY(provider_->is_newest());
    TRY_VOID(steps_.run("plan", [&] { return plan(root, std::move(facts)); }));
    return request_.dry_run ? print_plan() : execute();
  }

  Result<CallerFacts> look_up() {
    if (!request_.hold) terminal_ = ControllingTerminal::open();
    auto facts = TRY(look_up_facts(request_, owner_.caller(), umask_));
    facts.has_controlling_terminal = terminal_.has_value();
    if (request_.hold) facts.standard_terminals = 0;
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
    if (request_.hold) {
      held_guest_.root = std::move(root);
      held_guest_.facts = std::move(facts);
    }
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
    TRY_VOID(prepare_streams());
    held_ = TRY(steps_.run(
        "shares", [this] { return start_shares(plan_.mounts, share_context(request_, plan_, owner_.caller())); }));
    const int user_namespace = TRY(steps_.run("user-namespace", [this] { return open_user_namespace(); }));
    auto outcome = hooked_spawn(user_namespace);
    if (container_) container_->end();
    if (request_.post_hook.empty()) return outcome;
    // Run this hook even after a failure, because it may have to undo what the first hook did.
    auto post = steps_.run("post-hook", [&] { return hook("POST_SPAWN_HOOK", request_.post_hook, user_namespace); });
    return combine(std::move(outcome), std::move(post));
  }

  Result<void> prepare_streams() {
    streams_.emplace(TRY(steps_.run("streams", [this] {
      return GuestStreams::prepare(stream_options(plan_, owner_.caller(), request_.ignore_interrupt));
    })));
    return {};
  }

  Result<int> hooked_spawn(int user_namespace) {
    if (!request_.pre_hook.empty()) {
      TRY_VOID(steps_.run("pre-hook", [&] { return hook("PRE_SPAWN_HOOK", request_.pre_hook, user_namespace); }));
    }
    return spawn_and_wait(user_namespace);
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

  SupervisorOptions supervisor_options() const {
    return {request_.ignore_interrupt, plan_.own_terminal, std::chrono::milliseconds(request_.timeout),
            plan_.own_session, plan_.engine.ends_in_order};
  }

  Result<int> spawn_and_wait(int user_namespace) {
    auto init = TRY(open_own_program("isolate-init"));
    Fd engine;
    if (!plan_.engine.own_program.empty()) engine = TRY(open_own_program(plan_.engine.own_program));
    auto setup = TRY(make_init_setup(plan_));
    TRY_VOID(make_group());
    if (container_) TRY_VOID(container_->start(plan_, owner_.caller(), user_namespace, group_));
    auto supervisor = TRY(Supervisor::make(supervisor_options(), std::move(terminal_)));
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
      fds.streams = streams_->descriptors();
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
    const pid_t first_process = launcher.pid();
    if (request_.hold) {
      TRY_VOID(supervisor.wait_until_ready(std::exchange(launcher, {})));
      pending_namespace_ = {};  // otherwise its process would be a zombie until the end of the run
      if (!TRY(held_guest_.wait_until_taken({plan_.clone_id, provider_.get(), &supervisor}, &request_, &status_))) {
        return 0;
      }
      steps_.restart();
      TRY_VOID(begin(&supervisor));
      provider_->begin_use();  // while the command is starting
    }
    TRY_VOID(steps_.run("copiers", [&] { return streams_->start(launcher.pidfd()); }));
    return wait_for_end(&supervisor, std::move(launcher), first_process);
  }

  // Only what the run has brought differs from the plan with which the guest was made.
  Result<void> begin(Supervisor* supervisor) {
    plan_ = TRY(steps_.run("plan", [this] { return make_plan(request_, held_guest_.root, held_guest_.facts); }));
    TRY_VOID(prepare_streams());
    return steps_.run("begin", [&]() -> Result<void> {
      const auto setup = TRY(make_init_setup(plan_));
      return supervisor->begin(supervisor_options(), setup.get(), streams_->descriptors().numbers,
                               &*held_guest_.caller);
    });
  }

  Result<int> wait_for_end(Supervisor* supervisor, ChildProcess launcher, pid_t engine) {
    std::optional<ExecListener> listener;
    // Do this now, because the engine is starting meanwhile. If the socket can't be made, the run goes on without it,
    // and isolatectl exec reports that.
    TRY_VOID(steps_.run("exec-socket", [&]() -> Result<void> {
      if (auto opened = listen_for_commands()) listener.emplace(std::move(*opened));
      return {};
    }));
    if (listener) supervisor->take_commands(&*listener);
    if (wants_cleanup_process()) cleanup_.prepare(provider_->pool()->state_path("ended"));
    auto outcome = supervisor->wait(std::move(launcher), [&](pid_t pid) {
      steps_.record_since_last("engine-start");
      status_.report_start(pid, plan_.clone_id, held_guest_.caller.has_value());
      group_.report_missing_limits();
      if (listener) listener->sweep();
      if (auto* pool = provider_->pool(); pool != nullptr && reaper_.start(pool)) cleanup_.give_up();
      if (cleanup_.can_run() && may_keep_mounts()) {
        for (const pid_t process : {engine, pid}) cleanup_.keep_mounts_of(process);
      }
    });
    steps_.record_since_last("run");
    auto written = streams_->finish(outcome && !outcome->timed_out && !outcome->was_told_to_end,
                                    held_guest_.other_signals(request_.ignore_interrupt));
    if (!cleanup_.can_run()) reaper_.end();
    // Remove the container's groups first, because they lie below the guest's group.
    if (container_) container_->end();
    group_.end(container_ && container_->is_out_of_memory(), &steps_);
    if (outcome) return conclude(*outcome, outcome->check_output(std::move(written)), plan_, group_, status_);
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

  RunRequest request_;
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
  std::optional<GuestStreams> streams_;
  mode_t umask_;
  HeldGuest held_guest_;
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
  if (!request.hold) {
    const auto warm = run_in_warm_guest(request);
    if (warm && *warm) return **warm;
    if (!warm) {
      log::error(warm.error().message());
      if (const auto status = StatusStream::open(request.status_fd))
        status->report_failure("warm", warm.error().message());
      return kOwnFailure;
    }
  }
  OwnerNamespace owner(Caller::current());
  return run_with(request, &owner, nullptr);
}

int run_on_lease(const RunRequest& request, const Lease& lease, OwnerNamespace* owner) {
  return run_with(request, owner, &lease);
}

}  // namespace isolate
