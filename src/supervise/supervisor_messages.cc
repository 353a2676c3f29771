// How the supervisor handles the messages of isolate-init. They come from the guest, so none of them may do more than
// report on the command.
#include <errno.h>

#include <utility>

#include "supervise/supervisor.h"
#include "wire/init_protocol.h"

namespace isolate {

bool Supervisor::read_message() {
  return control_.read([this](ControlSocket::Attached attached, const protocol::Message& message) {
    handle_message(std::move(attached), message);
  });
}

void Supervisor::handle_message(ControlSocket::Attached attached, const protocol::Message& message) {
  switch (message.kind) {
    case protocol::Kind::pid:
      if (command_pid_ >= 0) break;
      command_pid_ = attached.sender;
      watch_.watch_command(command_pid_);
      break;
    case protocol::Kind::started:
      command_has_started();
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
    case protocol::Kind::no_user:
      outcome_.user_error = message.value;
      break;
    case protocol::Kind::stopped:
      if (has_started_) job_control_.command_has_stopped();
      stop_with_command();
      break;
    case protocol::Kind::continued:
      job_control_.command_goes_on();
      if (caller_ != nullptr) caller_->go_on();
      break;
    case protocol::Kind::ready:
      is_ready_ = true;
      break;
    case protocol::Kind::answer:
      watch_.note_answer(Clock::now());
      stop_with_command();
      break;
    case protocol::Kind::terminal:
      start_relay(std::move(attached.descriptor));
      break;
    case protocol::Kind::signal:  // isolate sends these kinds and never receives them
    case protocol::Kind::group_signal:
    case protocol::Kind::exec:
    case protocol::Kind::begin:
      break;
  }
}

void Supervisor::command_has_started() {
  if (std::exchange(has_started_, true)) return;
  on_start_(command_pid_);
  send_kept_signals();
}

void Supervisor::start_relay(Fd terminal) {
  if (!options_.own_terminal || relay_) return;
  if (terminal) {
    relay_.emplace(terminal_ ? &*terminal_ : nullptr);
    relay_->start(std::move(terminal));
  }
  // If isolate has no room for one more descriptor, the kernel drops the terminal.
  control_.send({protocol::Kind::terminal, relay_ ? 0 : EMFILE});
}

// A message from isolate-init ends the stop, because it should report that the command goes on or has ended. So isolate
// waits for an answer that is still due before it stops.
void Supervisor::stop_with_command() {
  if (watch_.waits_for_answer()) return;
  job_control_.stop_if_due({control_.fd(), command_pid_, next_deadline(), relay_ ? &*relay_ : nullptr, caller_});
}

}  // namespace isolate
