#include "supervise/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "base/trace.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "supervise/own_stop.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

// Of several descriptors the first is kept, and all others are closed.
Supervisor::Attached attached_to(const msghdr& header) {
  Supervisor::Attached attached;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&header), control)) {
    if (control->cmsg_level != SOL_SOCKET) continue;
    if (control->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
      attached.sender = credentials.pid;
    }
    if (control->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(control) + i * sizeof number, sizeof number);
      Fd descriptor(number);
      if (!attached.descriptor) attached.descriptor = std::move(descriptor);
    }
  }
  return attached;
}

}  // namespace

Result<Supervisor> Supervisor::make(const SupervisorOptions& options, std::optional<ControllingTerminal> terminal) {
  Supervisor supervisor;
  supervisor.options_ = options;

  int ends[2];
  TRY(trace::check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair", "control"));
  supervisor.control_ = Fd(ends[0]);
  supervisor.guest_control_ = Fd(ends[1]);
  const int on = 1;
  TRY(trace::check(::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), "setsockopt", "SO_PASSCRED"));
  TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "report"));
  supervisor.report_reader_ = Fd(ends[0]);
  supervisor.report_writer_ = Fd(ends[1]);

  supervisor.signals_ = TRY(held_signals());
  supervisor.terminal_ = std::move(terminal);
  return supervisor;
}

bool Supervisor::read_control() {
  protocol::Message message{};
  iovec data{&message, sizeof message};
  // Room for the credentials and one descriptor: more that somebody sends along are dropped by the kernel.
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))];
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  const ssize_t got = ::recvmsg(control_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  // A signal that init did not read any more; what init has sent before comes with the next call.
  if (got < 0 && errno == ECONNRESET) return true;
  // Whatever the message is: what came beside it is in this process's table now.
  auto attached = got < 0 ? Attached{} : attached_to(header);
  if (got <= 0) {
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) control_.reset();
    return false;
  }
  const bool whole = got == static_cast<ssize_t>(sizeof message) && (header.msg_flags & MSG_TRUNC) == 0;
  if (whole) take(std::move(attached), message);
  return true;
}

void Supervisor::take(Attached attached, const protocol::Message& message) {
  switch (message.kind) {
    case protocol::Kind::pid:
      if (command_pid_ >= 0) break;
      command_pid_ = attached.sender;
      watch_.begin(command_pid_);
      break;
    case protocol::Kind::started:
      if (std::exchange(has_started_, true)) break;
      on_start_(command_pid_);
      send_kept_signals();
      break;
    case protocol::Kind::failed:
      outcome_.exec_error = message.value;
      break;
    case protocol::Kind::ended:
      if (!outcome_.ended) outcome_.ended = ExitStatus::from_wait_status(message.value);
      break;
    case protocol::Kind::no_directory:
      outcome_.directory_error = message.value;
      break;
    case protocol::Kind::no_setup:
      outcome_.setup_error = message.value;
      break;
    case protocol::Kind::stopped:
      // An answer that is still to come must not be taken for the command's going on.
      stops_later_ = has_started_ && watch_.waits_for_answer();
      if (has_started_ && !stops_later_) stop_too();
      break;
    case protocol::Kind::answer:
      watch_.answer(Clock::now());
      if (!watch_.waits_for_answer() && std::exchange(stops_later_, false)) stop_too();
      break;
    case protocol::Kind::terminal:
      if (!options_.own_terminal || relay_) break;
      if (attached.descriptor) {
        relay_.emplace(terminal_ ? &*terminal_ : nullptr);
        relay_->start(std::move(attached.descriptor));
      }
      // With no room for the descriptor here, the kernel has dropped it.
      send({protocol::Kind::terminal, relay_ ? 0 : EMFILE});
      break;
    case protocol::Kind::continued:  // has done its work by its arrival, see stop_too
      stops_later_ = false;
      break;
    case protocol::Kind::signal:  // ours to send, not to get
    case protocol::Kind::group_signal:
    case protocol::Kind::exec:
      break;
  }
}

bool Supervisor::goes_on() const {
  pollfd more{control_.get(), POLLIN, 0};
  if (::poll(&more, 1, 0) != 0 || milliseconds_left() == 0) return true;
  // It may have been continued together with this process: then nobody would do that again.
  return command_pid_ >= 0 && !is_stopped(command_pid_);
}

void Supervisor::stop_too() const {
  // Whatever init says next continues this process: that the command goes on or has ended.
  const int flags = ::fcntl(control_.get(), F_GETFL);
  ::fcntl(control_.get(), F_SETOWN, ::getpid());
  ::fcntl(control_.get(), F_SETSIG, SIGCONT);
  ::fcntl(control_.get(), F_SETFL, flags | O_ASYNC);
  const Alarm alarm(milliseconds_left());
  if (!goes_on()) {
    if (relay_) relay_->give_host_back();
    // A SIGCONT that comes before the SIGSTOP would be lost: a child sends that, and looks once more afterwards.
    auto stopper = fork_child(0, [this] {
      ::kill(::getppid(), SIGSTOP);
      if (goes_on()) continue_for_ourselves(::getppid());
      return 0;
    });
    if (stopper) {
      stopper->wait();
    } else {
      ::raise(SIGSTOP);  // with no process to be had; all but that moment is as well
    }
    if (relay_) relay_->follow_host();
  }
  // A SIGCONT of somebody else's waits to be read, and is passed on to the command.
  ::fcntl(control_.get(), F_SETFL, flags);
}

void Supervisor::send_signal(int number, bool to_group) {
  send({to_group ? protocol::Kind::group_signal : protocol::Kind::signal, number});
  if (protocol::asks_for_end(number)) watch_.ask(Clock::now());
}

void Supervisor::send(const protocol::Message& message) const {
  // When init is gone the end is about to be noticed, ignoring.
  if (control_) ::send(control_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// What the terminal sends goes to all of the foreground, the command too: it must not get it twice. Only a hang-up goes
// to the leader of the session alone.
bool Supervisor::belongs_to_terminal(int signal) {
  return signal == SIGINT || signal == SIGQUIT || signal == SIGTSTP || signal == SIGWINCH ||
         (signal == SIGHUP && ::getsid(0) != ::getpid());
}

bool Supervisor::may_run(int signal) {
  constexpr int kMost = 64;  // a guest could go on talking to no end
  for (int i = 0; i < kMost && !has_started_ && control_ && read_control(); ++i) {
  }
  if (has_started_) return true;
  // Its process is there and executes by now; init, which waits for that, passes on afterwards what it is sent. Whoever
  // asks twice does not want to wait any longer.
  return command_pid_ >= 0 && std::exchange(early_signal_, signal) != signal;
}

void Supervisor::pass_signal_on(const ChildProcess& launcher) {
  signalfd_siginfo info{};
  // A stop of this process takes away a SIGCONT that was there when poll was asked.
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  const auto number = static_cast<int>(info.ssi_signo);
  outcome_.was_told_to_end |= number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
  const bool is_of_terminal = info.ssi_code == SI_KERNEL && belongs_to_terminal(number);
  // A guest with a terminal or session of its own is not in the foreground of the caller's: this process gets the
  // signal in place of all the guest's processes that would be there.
  const bool is_for_group = is_of_terminal && (relay_ || options_.own_session);
  const bool is_ignored = number == SIGINT && options_.ignore_interrupt;
  if (is_ignored && !is_for_group) return;
  // Of our own making, to end a stop: by the timer or as if, or by a message.
  if (number == SIGCONT && (info.ssi_code == SI_TIMER || (info.ssi_code > 0 && info.ssi_code != SI_KERNEL))) return;
  if (relay_ && (number == SIGWINCH || number == SIGCONT)) relay_->follow_host();
  if (may_run(number)) {
    const bool has_it_already = is_of_terminal && !is_for_group;
    const bool is_size = number == SIGWINCH && relay_;  // told by the terminal's own new size
    if (has_it_already || is_size) return;
    send_signal(number, is_for_group);
    if (protocol::asks_for_end(number)) unanswered_signal_ = number;
    return;
  }
  if (is_ignored || number == SIGWINCH || number == SIGCONT || keeps_for_command(number)) return;
  if (number == SIGTSTP) {
    ::raise(SIGSTOP);
    return;
  }
  ending_signal_ = number;
  launcher.signal(SIGKILL);
  if (is_further_) let_go();
}

// Of a further command: isolate-init sees that nobody waits for it any more.
void Supervisor::let_go() {
  control_.reset();
  report_reader_.reset();
}

int Supervisor::milliseconds_left() const {
  auto deadline = engine_deadline_ ? engine_deadline_ : deadline_;
  if (const auto due = watch_.deadline(); due && (!deadline || *due < *deadline)) deadline = due;
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, INT_MAX));
}

void Supervisor::end_what_took_too_long(const ChildProcess& launcher) {
  constexpr std::chrono::seconds kGrace{5};
  if (!deadline_ || outcome_.ended || Clock::now() < *deadline_) return;
  const bool was_asked = std::exchange(outcome_.timed_out, true);
  if (was_asked || !has_started_) {
    launcher.signal(SIGKILL);
    deadline_.reset();
    return;
  }
  send_signal(SIGTERM);
  send_signal(SIGCONT);  // one that was stopped would not notice
  deadline_ = Clock::now() + kGrace;
}

// What is in the guest has kept isolate-init from its work: nobody else reports the command's end.
void Supervisor::end_what_is_silent(const ChildProcess& launcher) {
  if (outcome_.ended || !watch_.give_up(Clock::now())) return;
  if (watch_.waits_for_answer()) ending_signal_ = unanswered_signal_;
  launcher.signal(SIGKILL);
  if (is_further_) let_go();
}

// The rest of the guest, and the engine, have no more to say.
void Supervisor::end_engine(const ChildProcess& launcher) {
  constexpr std::chrono::seconds kPatience{5};
  const auto now = Clock::now();
  if (!options_.ends_in_order || (engine_deadline_ && now >= *engine_deadline_)) launcher.signal(SIGKILL);
  if (!engine_deadline_) engine_deadline_ = now + kPatience;
}

void Supervisor::read_report() {
  char buffer[4096];
  const ssize_t got = ::read(report_reader_.get(), buffer, sizeof buffer);
  // Of who has no end the beginning will do.
  constexpr std::size_t kMost = 64 << 10;
  if (got > 0 && report_.size() < kMost) report_.append(buffer, static_cast<std::size_t>(got));
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) report_reader_.reset();
}

Result<RunOutcome> Supervisor::wait(ChildProcess launcher, const std::function<void(pid_t)>& started) {
  on_start_ = started;
  guest_control_.reset();
  report_writer_.reset();
  if (options_.timeout.count() > 0) deadline_ = Clock::now() + options_.timeout;
  bool engine_runs = launcher.running();
  while (control_ || report_reader_ || engine_runs) {
    auto copies = relay_ ? relay_->sources() : TerminalRelay(nullptr).sources();
    const bool takes_commands = listener_ != nullptr && has_started_ && control_;
    auto requests = takes_commands ? listener_->sources() : FurtherCommands::no_sources();
    constexpr std::size_t kOwn = 5;
    std::array<pollfd, kOwn + TerminalRelay::kSources + FurtherCommands::kSources> sources{
        {{control_.get(), POLLIN, 0},
         {report_reader_.get(), POLLIN, 0},
         {signals_.get(), POLLIN, 0},
         {engine_runs ? launcher.pidfd() : -1, POLLIN, 0},
         {outcome_.ended ? -1 : watch_.command(), POLLIN, 0}}};
    std::copy(requests.begin(), requests.end(), std::copy(copies.begin(), copies.end(), sources.begin() + kOwn));
    if (::poll(sources.data(), sources.size(), milliseconds_left()) < 0) {
      if (errno == EINTR) continue;
      return fail(errno, "poll");
    }
    std::copy_n(sources.begin() + kOwn, copies.size(), copies.begin());
    std::copy_n(sources.end() - requests.size(), requests.size(), requests.begin());
    if (relay_) relay_->copy(copies);
    if (sources[0].revents != 0) read_control();
    if (takes_commands && control_) listener_->serve(requests, control_.get());
    if (engine_runs && outcome_.ended) end_engine(launcher);
    if (is_further_ && outcome_.ended) let_go();
    if (sources[1].revents != 0) read_report();
    if (sources[2].revents != 0) pass_signal_on(launcher);
    end_what_took_too_long(launcher);
    if (sources[4].revents != 0) watch_.command_has_ended(Clock::now());
    end_what_is_silent(launcher);
    if (sources[3].revents == 0) continue;
    engine_runs = false;
    // What was said before the end is there by now; others who may hold the socket are not waited for.
    while (control_ && read_control()) {
    }
    control_.reset();
  }
  const auto engine = launcher.running() ? TRY(launcher.wait()) : ExitStatus{};
  hand_terminal_back();
  return conclude(engine);
}

Result<RunOutcome> Supervisor::wait_for_further(Fd connection) {
  is_further_ = true;
  report_reader_ = std::move(connection);
  return wait(ChildProcess(), [](pid_t) {});
}

// A command that has ended by itself may have changed the modes on purpose (stty).
void Supervisor::hand_terminal_back() {
  constexpr int kLikeASignal = 128;
  if (relay_) outcome_.output_error = relay_->finish();
  const bool was_broken_off = !outcome_.ended || outcome_.ended->shell_code() >= kLikeASignal;
  if (terminal_ && has_started_ && was_broken_off) terminal_->restore();
}

Result<RunOutcome> Supervisor::conclude(const ExitStatus& engine) const {
  if (outcome_.exec_error != 0 || outcome_.directory_error != 0 || outcome_.setup_error != 0) return outcome_;
  auto outcome = outcome_;
  if (outcome.ended || outcome.timed_out) return outcome;
  // The launcher's error, or what the engine had to say.
  const auto report = report_.substr(0, report_.find_last_not_of('\n') + 1);
  if (!report.empty() && !has_started_) return fail(Error::from_packed(report));
  outcome.engine_error = report;
  if (watch_.has_given_up()) {
    outcome.engine_error = "isolate-init does not answer: something in the guest has stopped it; the guest was ended";
    // Killed just now, with the guest, it has not ended by itself.
    if (const auto end = watch_.end_of_command(); end && ending_signal_ == 0) outcome.ended = end;
    if (outcome.ended) return outcome;
  }
  if (ending_signal_ != 0 || has_started_) {
    outcome.ended = ExitStatus{true, ending_signal_ != 0 ? ending_signal_ : SIGKILL};
    return outcome;
  }
  if (is_further_) return fail("the guest has ended, or does not tell what became of the command");
  return fail("the engine ended with " + engine.describe() + " before the command started");
}

}  // namespace isolate
