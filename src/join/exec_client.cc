#include "join/exec_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "base/log.h"
#include "base/text.h"
#include "join/exec_listener.h"
#include "launch/guest_streams.h"
#include "linux/file.h"
#include "linux/held_signals.h"
#include "linux/process_table.h"
#include "linux/sealed_file.h"
#include "linux/socket.h"
#include "supervise/supervisor.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

// Looks for the run's socket in the directories that its isolate has open, since their paths depend on isolate's
// environment. Errors: ENOENT there is no socket; ECONNREFUSED nobody listens.
Result<Fd> connect_through(pid_t pid, const std::string& clone_id) {
  const auto path = fmt::format("/proc/{}/fd", pid);
  const auto descriptors = TRY(open_file(AT_FDCWD, path, O_PATH | O_DIRECTORY));
  for (const auto& number : TRY(list_directory(descriptors.get(), "."))) {
    const auto directory = open_file(descriptors.get(), number, O_RDONLY | O_DIRECTORY);
    if (!directory) continue;
    const auto names = list_directory(directory->get(), ".");
    if (!names) continue;
    for (const auto& name : *names) {
      if (is_socket_of(name, clone_id)) return connect_in(*directory, name);
      if (name == warm_socket_name(clone_id, pid)) {
        return fail(EBUSY, "lease " + clone_id + " is a warm guest that waits for a run");
      }
    }
  }
  return fail(ENOENT, "socket of " + clone_id);
}

// A guest or another user could have put another socket there.
Result<void> check_listener(const Fd& connection, const LeaseInfo& info) {
  const auto peer = TRY(socket_peer(connection.get()));
  if (std::to_string(peer.uid) == info.user && peer.pid == info.pid) return {};
  return fail(
      fmt::format("lease {}: another process (pid {}) listens instead of its isolate", info.clone_id, peer.pid));
}

}  // namespace

Result<Fd> connect_to_run(const LeaseInfo& info) {
  using Clock = std::chrono::steady_clock;
  constexpr unsigned kPause = 20'000;  // microseconds
  const auto deadline = Clock::now() + std::chrono::seconds(2);
  while (true) {
    auto connection = connect_through(static_cast<pid_t>(info.pid), info.clone_id);
    if (connection) {
      TRY_VOID(check_listener(*connection, info));
      return connection;
    }
    const int reason = connection.error().code();
    if (reason == EBUSY) return fail(connection.error().context());
    if (reason == ECONNREFUSED || !process_status(static_cast<pid_t>(info.pid))) {
      return fail("lease " + info.clone_id + " has ended");
    }
    if (Clock::now() > deadline && reason != ENOENT) return connection;
    if (Clock::now() > deadline) {
      return fail(
          Error("lease " + info.clone_id + " takes no commands: its isolate found no private directory for a socket")
              .advise("make $XDG_RUNTIME_DIR or the store accessible to its user only (chmod 700)"));
    }
    ::usleep(kPause);
  }
}

Result<int> run_in_guest(Fd connection, ExecRequest request) {
  request.own_error = request.own_terminal && ::isatty(STDERR_FILENO) == 1;
  request.signals = signals_of_caller();
  const auto message = TRY(sealed_file("isolate-exec", TRY(to_message(request))));
  hold_signals();
  const bool terminal = request.own_terminal;
  StreamOptions wanted;
  wanted.is_needed = {!terminal, !terminal, !request.own_error};
  wanted.copies_terminals = true;
  auto streams = TRY(GuestStreams::prepare(wanted));
  // A command with a terminal of its own never gets the caller's terminal, not even for a moment.
  const auto null = TRY(open_file(AT_FDCWD, "/dev/null", O_RDWR));
  const auto sent = [&](int number) {
    return wanted.is_needed[static_cast<std::size_t>(number)] ? streams.descriptor(number) : null.get();
  };
  SupervisorOptions options;
  options.own_terminal = terminal;
  options.own_session = true;
  // Without a terminal of its own, the guest cannot change the modes of the caller's terminal. So there is nothing to
  // restore at the end.
  auto supervisor = TRY(Supervisor::make(options, terminal ? ControllingTerminal::open() : std::nullopt));
  TRY_VOID(send_message(
      connection.get(), protocol::kExecMark,
      {message.get(), sent(STDIN_FILENO), sent(STDOUT_FILENO), sent(STDERR_FILENO), supervisor.guest_control().get()}));
  TRY_VOID(streams.start());
  const auto outcome = supervisor.wait_for_further(std::move(connection));
  auto copied = streams.finish(outcome && !outcome->timed_out && !outcome->was_told_to_end);
  if (!outcome) return fail(outcome.error());
  const auto written = outcome->check_output(std::move(copied));
  TRY_VOID(outcome->check_setup(request.directory));
  if (outcome->exec_error == EUSERS) {
    return fail(
        fmt::format("the guest runs {} further commands already, which is the limit", protocol::kMostExecCommands));
  }
  if (!outcome->engine_error.empty()) log::warning(outcome->engine_error);
  if (outcome->exec_error != 0) log::error(outcome->start_error(request.command[0]));
  if (!written && outcome->exit_status() == 0) return fail(written.error());
  if (!written) log::warning(written.error().message());
  return outcome->exit_status() != 0 ? outcome->exit_status() : *written;
}

}  // namespace isolate
