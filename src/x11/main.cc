// isolate-x11: the helper process of a run with --x11=untrusted or --x11=nested. isolate starts it with one end of a
// connection as standard input, sends it a task (share/x_helper.h), and closes the connection at the end of the run.
#include <unistd.h>

#include "linux/file.h"
#include "linux/socket.h"
#include "share/x_helper.h"
#include "x11/nested.h"
#include "x11/security.h"
#include "x11/task.h"
#include "x11/untrusted.h"

namespace isolate::x11 {
namespace {

Result<void> do_task() {
  if (const auto ready = wait_readable(kXHelperControl, -1); !ready) return fail(ready.error());
  auto received = TRY(receive_message(kXHelperControl, kLongestXMessage));
  const auto task = TRY(unpacked(received.bytes));
  const bool is_check = task.kind == XTask::Kind::check_security;
  auto& sockets = received.descriptors;
  if (task.kind == XTask::Kind::nested) return run_nested_server(task, sockets.empty() ? Fd() : std::move(sockets[0]));
  if (sockets.size() != (is_check ? 1 : 2)) return fail("malformed task");
  if (!is_check) return keep_untrusted_cookie(std::move(sockets[0]), std::move(sockets[1]), task);
  TRY_VOID(check_security(TRY(introduce(std::move(sockets[0]), task.cookie)).get()));
  return answer(XCookie{});
}

}  // namespace
}  // namespace isolate::x11

int main() {
  constexpr int kOwnFailure = 125;
  isolate::x11::limit_time_of_start();
  // In a session of its own, this process does not get the Ctrl-C that interrupts the command.
  ::setsid();
  if (isatty(isolate::kXHelperControl) == 1 || !isolate::socket_peer(isolate::kXHelperControl)) {
    ::dprintf(STDERR_FILENO, "isolate-x11 is started by isolate and not by hand; run isolate --x11=nested\n");
    return kOwnFailure;
  }
  const auto outcome = isolate::x11::do_task();
  if (outcome) return 0;
  // isolate reports the error. If isolate has ended already, nobody needs it, so a failure to send is ignored.
  auto sent = isolate::x11::answer(isolate::fail(outcome.error()));
  return kOwnFailure;
}
