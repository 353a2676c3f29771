#include "supervise/supervisor.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/trace.h"
#include "linux/held_signals.h"
#include "linux/socket.h"
#include "supervise/time_left.h"

namespace isolate {

Result<Supervisor> Supervisor::make(const SupervisorOptions& options, std::optional<ControllingTerminal> terminal) {
  Supervisor supervisor;
  supervisor.options_ = options;
  supervisor.control_ = TRY(ControlSocket::make(&supervisor.guest_control_));
  int ends[2];
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "report"));
  supervisor.report_reader_ = Fd(ends[0]);
  supervisor.report_writer_ = Fd(ends[1]);
  supervisor.signals_ = TRY(held_signals());
  supervisor.terminal_ = std::move(terminal);
  return supervisor;
}

void Supervisor::take(ChildProcess launcher) {
  engine_ = std::move(launcher);
  engine_runs_ = engine_.running();
  guest_control_.reset();
  report_writer_.reset();
}

Result<void> Supervisor::wait_once() {
  auto sources = event_sources();
  if (sources.wait(milliseconds_until(next_deadline())) >= 0) {
    handle_events(sources);
  } else if (errno != EINTR) {
    const int error = errno;
    engine_.kill_and_reap();
    return fail(error, "poll");
  }
  return {};
}

Result<void> Supervisor::wait_until_ready(ChildProcess launcher) {
  take(std::move(launcher));
  while (!is_ready_ && has_more_to_wait_for()) TRY_VOID(wait_once());
  if (is_ready_) return {};
  const auto outcome = TRY(wait({}, [](pid_t) {}));
  TRY_VOID(outcome.check_setup("/"));
  return fail(outcome.engine_error.empty() ? "the guest ended before it was ready" : outcome.engine_error);
}

Result<bool> Supervisor::wait_for(int descriptor) {
  awaited_ = descriptor;
  is_awaited_ready_ = false;
  while (!is_awaited_ready_ && engine_runs_) TRY_VOID(wait_once());
  awaited_ = -1;
  return engine_runs_ && ending_signals_.killed_by == 0;
}

Result<void> Supervisor::begin(const SupervisorOptions& options, int setup, const std::array<int, 3>& streams,
                               RemoteCaller* caller) {
  options_ = options;
  caller_ = caller;
  const protocol::Message message{protocol::Kind::begin, 0};
  return send_message(control_.fd(), {reinterpret_cast<const char*>(&message), sizeof message},
                      {setup, streams[0], streams[1], streams[2]});
}

Result<RunOutcome> Supervisor::wait(ChildProcess launcher, const std::function<void(pid_t)>& started) {
  if (!engine_.running()) take(std::move(launcher));
  on_start_ = started;
  if (options_.timeout.count() > 0) deadlines_.command = Clock::now() + options_.timeout;
  while (has_more_to_wait_for()) TRY_VOID(wait_once());
  const auto engine = engine_.running() ? TRY(engine_.wait()) : ExitStatus{};
  hand_terminal_back();
  return conclude(engine);
}

Result<RunOutcome> Supervisor::wait_for_further(Fd connection) {
  is_further_ = true;
  report_reader_ = std::move(connection);
  return wait(ChildProcess(), [](pid_t) {});
}

EventSources Supervisor::event_sources() const {
  EventSources sources;
  sources.own[EventSources::control] = control_.fd();
  sources.own[EventSources::report] = report_reader_.get();
  sources.own[EventSources::signals] = signals_.get();
  sources.own[EventSources::engine] = engine_runs_ ? engine_.pidfd() : -1;
  sources.own[EventSources::command_end] = outcome_.ended ? -1 : watch_.command_pidfd();
  sources.own[EventSources::caller] = caller_ != nullptr ? caller_->fd() : -1;
  sources.own[EventSources::awaited] = awaited_;
  if (relay_) sources.terminal = relay_->sources();
  if (takes_commands()) sources.requests = listener_->sources();
  return sources;
}

void Supervisor::handle_events(const EventSources& sources) {
  if (relay_) relay_->copy(sources.terminal);
  if (sources.is_ready(EventSources::control)) read_message();
  if (takes_commands()) listener_->serve(sources.requests, control_.fd());
  if (engine_runs_ && outcome_.ended) end_engine();
  if (is_further_ && outcome_.ended) leave_guest();
  if (sources.is_ready(EventSources::report)) read_report();
  if (sources.is_ready(EventSources::signals)) handle_signal();
  if (sources.is_ready(EventSources::caller)) handle_signal_of_caller();
  is_awaited_ready_ |= sources.is_ready(EventSources::awaited);
  end_after_timeout();
  if (sources.is_ready(EventSources::command_end)) watch_.note_end_of_command(Clock::now());
  end_if_init_is_silent();
  if (sources.is_ready(EventSources::engine)) engine_has_ended();
}

void Supervisor::engine_has_ended() {
  engine_runs_ = false;
  // All that was sent before the engine's end is in the socket by now. Others may still hold the other end; isolate
  // does not wait for them.
  while (read_message()) {
  }
  control_.close();
}

std::optional<Supervisor::Clock::time_point> Supervisor::next_deadline() const {
  const auto own = deadlines_.engine ? deadlines_.engine : deadlines_.command;
  const auto inits = watch_.deadline();
  return own && inits ? std::min(*own, *inits) : own ? own : inits;
}

void Supervisor::read_report() {
  char buffer[4096];
  const ssize_t got = ::read(report_reader_.get(), buffer, sizeof buffer);
  // A guest could write a report that never ends, so keep only its beginning.
  constexpr std::size_t kMost = 64 << 10;
  if (got > 0 && report_.size() < kMost) report_.append(buffer, static_cast<std::size_t>(got));
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) report_reader_.reset();
}

}  // namespace isolate
