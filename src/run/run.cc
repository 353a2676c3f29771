#include "run/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "acquire/daemon_lease.h"
#include "acquire/lease_end.h"
#include "acquire/reaper.h"
#include "base/log.h"
#include "base/random.h"
#include "base/steps.h"
#include "base/text.h"
#include "launch/container_support.h"
#include "launch/guest_streams.h"
#include "join/exec_listener.h"
#include "launch/hooks.h"
#include "launch/init_setup.h"
#include "launch/launcher.h"
#include "launch/own_program.h"
#include "launch/root_builder.h"
#include "limits/guest_group.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/own_code.h"
#include "plan/plan.h"
#include "pool/member_range.h"
#include "request/limit_wishes.h"
#include "request/store_path.h"
#include "store/open.h"
#include "store/overlay_store.h"
#include "supervise/status_stream.h"
#include "supervise/supervisor.h"

namespace isolate {
namespace {

class Run {
 public:
  // The modes of what this process makes are not the caller's business: his umask is kept for the command and the
  // hooks.
  Run(const RunRequest& request, OwnerNamespace* owner, Steps steps, StatusStream status)
      : request_(request),
        owner_(*owner),
        steps_(std::move(steps)),
        status_(std::move(status)),
        group_(limit_wishes(request), request.engine == EngineKind::lxc),
        umask_(::umask(022)) {}

  int to_end(const Lease* given) {
    auto outcome = given != nullptr ? on_lease(*given) : on_new_root();
    if (!outcome) {
      log::error(outcome.error().message());
      status_.failed(steps_.first_failure().empty() ? "options" : steps_.first_failure(), outcome.error().message());
    }
    if (request_.timings) {
      for (const auto& line : steps_.timing_lines()) ::dprintf(STDERR_FILENO, "%s\n", line.c_str());
    }
    return outcome ? *outcome : kOwnFailure;
  }

 private:
  Result<int> on_new_root() {
    if (!request_.directory.empty()) return on_directory();
    if (TRY(DaemonLease::is_wanted(request_, &owner_))) return on_daemon_lease();
    TRY_VOID(group_.find_place(owner_.caller(), request_.dry_run, &steps_));
    const auto path = TRY(store_path(request_.store, owner_.caller()));
    if (!request_.dry_run && request_.userns != UsernsMode::single) owner_.begin();
    auto place = TRY(steps_.run("store", [&] { return find_template(request_.template_name, path, &owner_); }));
    if (request_.dry_run) return dry_run(place);
    Pool pool(place.store.get(), place.name);
    auto lease = TRY(steps_.run("lease", [&] { return Lease::take(&pool, lease_info()); }));
    plan_.root = lease.root();
    Result<void> shifted = {};
    if (keeps_own_id_out()) {
      // An ordinary user's own store is always one of these.
      auto* store = dynamic_cast<OverlayStore*>(place.store.get());
      shifted = steps_.run("shifted-layers", [&] { return use_shifted_layers(store, lease); });
    }
    auto outcome = shifted ? on_lease(lease, &pool) : Result<int>(fail(std::move(shifted).error()));
    root_.reset();  // still there if the run has failed before it began
    auto ended = end_lease(*place.store, &lease, request_.keep, &steps_);
    pool.signal_use();
    return worse(std::move(outcome), std::move(ended), "the clone is left to the next run or isolatectl gc");
  }

  // An ordinary user's templates belong to him; a private namespace needs them to belong to his range alone.
  bool keeps_own_id_out() const { return !owner_.caller().is_root() && request_.userns == UsernsMode::private_range; }

  Result<void> use_shifted_layers(OverlayStore* store, const Lease& lease) {
    if (!owner_.ids().has_range()) return fail(advice_on_subids(owner_.caller(), false));
    if (!store->has_shifted_layers(lease.generation())) {
      log::info("making a copy of template " + request_.template_name + " for private user namespaces, once");
    }
    plan_.root.lower = TRY(store->shifted_layers(lease.generation()));
    return {};
  }

  Result<int> on_daemon_lease() {
    const auto limits = TRY(group_.for_daemon());
    auto asked = TRY(steps_.run("lease", [&] { return DaemonLease::ask(request_, limits, owner_.caller()); }));
    TRY_VOID(steps_.run("plan", [this] { return begin_plan(); }));
    leased_ =
        TRY(steps_.run("lease", [&] { return DaemonLease::receive(std::move(asked), request_, owner_.caller()); }));
    plan_.clone_id = leased_->reply().lease;
    plan_.template_name = leased_->reply().template_name;
    plan_.root = leased_->root();
    auto outcome = execute();
    // The daemon sees that, and destroys the clone.
    leased_.reset();
    return outcome;
  }

  Result<int> on_directory() {
    TRY_VOID(group_.find_place(owner_.caller(), request_.dry_run, &steps_));
    plan_.clone_id = directory_run_name();
    plan_.root = {{}, request_.directory};
    return execute();
  }

  Result<int> dry_run(const TemplatePlace& place) {
    const auto generation = TRY(place.store->newest_generation(place.name));
    plan_.clone_id = place.store->new_clone_id(place.name);
    plan_.template_name = place.name;
    plan_.root = place.store->planned_root(generation, plan_.clone_id);
    model_ = TRY(place.store->generation_root(generation));
    return execute();
  }

  Result<int> on_lease(const Lease& lease, Pool* pool = nullptr) {
    pool_ = pool;
    plan_.clone_id = lease.id();
    plan_.template_name = lease.generation().template_name;
    if (pool == nullptr) plan_.root = lease.root();
    return execute();
  }

  LeaseInfo lease_info() const {
    LeaseInfo info;
    info.engine = engine_name(request_.engine);
    info.user = std::to_string(owner_.caller().uid);
    info.pid = ::getpid();
    info.since = ::time(nullptr);
    return info;
  }

  // A host name for a run on a directory: its last part, as far as a host name can hold it.
  std::string directory_run_name() const {
    std::string name = request_.directory.substr(request_.directory.rfind('/') + 1).substr(0, 40);
    if (!text::is_name(name, 40)) name = "isolate";
    return name + "-" + random_name();
  }

  Result<int> execute() {
    TRY_VOID(steps_.run("plan", [this] { return make_plan(); }));
    if (request_.dry_run) {
      for (const auto& line : describe(plan_, request_.engine)) ::printf("%s\n", line.c_str());
      if (const auto place = group_.describe(); !place.empty()) ::printf("control group: %s\n", place.c_str());
      if (::fflush(stdout) != 0) return fail(errno, "write to standard output");
      return 0;
    }
    for (const auto& warning : warnings_of(plan_, request_)) log::warning(warning);
    if (request_.engine == EngineKind::lxc) {
      container_ = TRY(ContainerSupport::prepare(request_.lxc, plan_, owner_.caller()));
    }
    auto streams = TRY(steps_.run("streams", [this] { return GuestStreams::prepare(stream_options()); }));
    const int user_namespace = TRY(steps_.run("user-namespace", [this] { return open_user_namespace(); }));
    auto outcome = hooked_spawn(user_namespace, &streams);
    if (container_) container_->end();
    if (request_.post_hook.empty()) return outcome;
    // In any case: what the first hook did may have to be undone.
    auto post = steps_.run("post-hook", [&] { return hook("POST_SPAWN_HOOK", request_.post_hook, user_namespace); });
    return worse(std::move(outcome), std::move(post), "");
  }

  StreamOptions stream_options() const {
    StreamOptions options;
    // Where the guest has a terminal of its own, it gets that in place of all three.
    if (plan_.own_terminal) options.is_needed = {false, false, false};
    options.is_boundary = plan_.ids.new_namespace;
    options.ignore_interrupt = request_.ignore_interrupt;
    if (owner_.caller().is_root() && options.is_boundary) options.terminal_owner = TerminalOwner{plan_.ids.maps.uid.front().outside, kFirstRange};
    return options;
  }

  Result<int> hooked_spawn(int user_namespace, GuestStreams* streams) {
    if (!request_.pre_hook.empty()) {
      TRY_VOID(steps_.run("pre-hook", [&] { return hook("PRE_SPAWN_HOOK", request_.pre_hook, user_namespace); }));
    }
    return spawn_and_wait(user_namespace, streams);
  }

  Result<void> begin_plan() {
    terminal_ = ControllingTerminal::open();
    plan_.umask = umask_;
    TRY_VOID(isolate::begin_plan(request_, owner_.caller(), &plan_));
    plan_.own_group = plan_.own_terminal || plan_.own_session || !terminal_;
    if (!plan_.own_terminal && count_standard_terminals() == 0) terminal_.reset();  // the guest leaves it as it is
    return {};
  }

  Result<void> make_plan() {
    if (leased_) {
      plan_.ids.maps = leased_->reply().maps;
      plan_.ids.is_leased = true;
    } else {
      TRY_VOID(begin_plan());
      plan_.ids = TRY(plan_ids(request_, &owner_, TRY(owner_of_root(model_ ? *model_ : plan_.root, &root_))));
    }
    TRY_VOID(complete_plan(request_, owner_.caller(), &plan_));
    plan_.group_limits = group_.limits();
    if (leased_) leased_->adapt(&plan_);
    return {};
  }

  Result<int> open_user_namespace() {
    if (leased_) return leased_->user_namespace();
    if (!plan_.ids.new_namespace) return -1;
    // The namespace of the caller's own ids is made once, and serves to remove the clone as well.
    if (!owner_.caller().is_root() && plan_.ids.maps == owner_.ids().maps) return owner_.descriptor();
    ProcessLimit processes;
    // Root's own processes are not to be counted: the namespace is made by an id that only this run has.
    if (owner_.caller().is_root() && plan_.ids.process_limit != kUnlimited && !plan_.ids.shares_own_ids)
      processes = {plan_.ids.process_limit, plan_.ids.maps.uid.front().outside};
    lender_ = TRY(PendingUserNamespace::start(plan_.ids.maps, plan_.ids.writer, processes));
    user_namespace_ = TRY(lender_.finish());
    return user_namespace_.get();
  }

  Result<void> hook(const char* name, const std::string& command, int user_namespace) {
    std::string stage = plan_.stage;
    if (leased_) {
      stage = wire::kLeaseStage;
    } else if (!owner_.caller().is_root() && !plan_.root.lower.empty()) {
      stage = TRY(store_path(request_.store, owner_.caller())) + "/stage";
    }
    return run_hook(name, command, plan_, owner_.caller(), {user_namespace, mount_namespace()}, stage);
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
      LauncherFds fds;
      fds.user_namespace = user_namespace;
      fds.mount_namespace = mount_namespace();
      fds.root = root_.get();
      if (leased_) fds.nested_user_namespace = leased_->nested_user_namespace();
      if (leased_) fds.nested_mount_namespace = leased_->nested_mount_namespace();
      fds.init_program = init.get();
      fds.engine_program = engine.get();
      fds.control = supervisor.guest_control().get();
      fds.setup = setup.get();
      fds.report = supervisor.report_writer().get();
      fds.streams = streams->descriptors();
      fds.last_in_mount_namespace = request_.post_hook.empty();
      if (container_) container_->hand_to(&fds);
      fds.enter_group = group_.enter();
      return launch(plan_, fds, &steps_, owner_.caller().is_root() && !plan_.ids.shares_own_ids);
    }));
    // The guest has it: what is held here would keep the clone from being destroyed.
    root_.reset();
    // It goes with the guest then, while this process waits for that anyway.
    if (leased_ && request_.post_hook.empty()) leased_->let_go_of_mount_namespaces();
    TRY_VOID(steps_.run("copiers", [&] { return streams->start(launcher.pidfd()); }));
    std::optional<ExecListener> listener;
    // While the engine starts. A run that has no place for it goes on without; isolatectl exec tells of that.
    TRY_VOID(steps_.run("exec-socket", [&]() -> Result<void> {
      if (auto opened = listen_for_commands()) listener.emplace(std::move(*opened));
      return {};
    }));
    if (listener) supervisor.take_commands(&*listener);
    auto outcome = supervisor.wait(std::move(launcher), [&](pid_t pid) {
      steps_.record_since_last("engine-start");
      status_.started(pid, plan_.clone_id);
      group_.log_notice();
      if (listener) listener->sweep();
      if (pool_ != nullptr) reaper_.start(pool_);
      release_own_code();
    });
    steps_.record_since_last("run");
    auto written = streams->finish(outcome && !outcome->timed_out && !outcome->was_told_to_end);
    reaper_.end();
    // Its groups are below that of the guest.
    if (container_) container_->end();
    group_.end(container_ && container_->is_out_of_memory(), &steps_);
    if (outcome) return conclude(*outcome, outcome->check_output(std::move(written)));
    return fail(group_.with_shortage(std::move(outcome).error()));
  }

  Result<void> make_group() {
    if (!leased_) return group_.make(plan_.clone_id, &steps_);
    if (!leased_->reply().group.empty()) {
      group_.use(leased_->reply().group, [this] { return leased_->enter_group(); });
    }
    return {};
  }

  Result<ExecListener> listen_for_commands() const {
    if (plan_.template_name.empty()) return fail("no lease");
    return ExecListener::open_for(owner_.caller(), TRY(store_path(request_.store, owner_.caller())), plan_.clone_id);
  }

  int mount_namespace() const { return leased_ ? leased_->mount_namespace() : -1; }

  // `written`: the status of a run that has succeeded but for what became of its output.
  Result<int> conclude(const RunOutcome& outcome, Result<int> written) {
    TRY_VOID(outcome.check_setup(request_.working_directory));
    if (outcome.exec_error != 0) {
      const auto reason = outcome.start_error(request_.command[0]);
      log::error(reason);
      status_.failed("command", reason);
      return outcome.exit_status();
    }
    if (!outcome.engine_error.empty()) log::warning(outcome.engine_error);
    const auto ended = outcome.ended.value_or(ExitStatus{true, SIGKILL});
    if (group_.is_out_of_memory()) log::warning(group_.notice_of_kill(ended));
    status_.ended(ended, outcome.timed_out, group_.is_out_of_memory());
    const int status = outcome.exit_status();
    if (!written) return worse(status, fail(std::move(written).error()), "");
    return status == 0 ? *written : status;
  }

  // What failed after the command is told; it decides the exit status only where the command had succeeded.
  Result<int> worse(Result<int> outcome, Result<void> after, const std::string& advice) {
    if (!after && !outcome) log::warning(after.error().message());  // the first failure is the one to end with
    if (after || !outcome) return outcome;
    if (*outcome == 0) return fail(std::move(after).error().advise(advice));
    log::warning(after.error().message());
    return outcome;
  }

  const RunRequest& request_;
  OwnerNamespace& owner_;
  Steps steps_;
  StatusStream status_;
  std::optional<DaemonLease> leased_;
  std::optional<ContainerSupport> container_;  // with the engine lxc
  Pool* pool_ = nullptr;
  Reaper reaper_;  // removes clones of runs that were killed
  GuestGroup group_;
  RunPlan plan_;
  std::optional<RootSource> model_;  // of the clone that a run would have which is only planned
  Fd root_;                          // a detached mount of a root that is a file system, until the guest has it
  PendingUserNamespace lender_;
  Fd user_namespace_;
  std::optional<ControllingTerminal> terminal_;
  mode_t umask_;
};

int run_with(const RunRequest& request, OwnerNamespace* owner, const Lease* lease) {
  auto steps = Steps::make();
  auto status = StatusStream::open(request.status_fd);
  if (!steps || !status) {
    log::error(!steps ? steps.error().message() : status.error().message());
    return kOwnFailure;
  }
  if (!request.dry_run) hold_signals();
  return Run(request, owner, std::move(*steps), std::move(*status)).to_end(lease);
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
