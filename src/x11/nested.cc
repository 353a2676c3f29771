#include "x11/nested.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/trace.h"
#include "linux/caller.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/process.h"
#include "linux/signal_reset.h"
#include "linux/user_namespace.h"
#include "x11/task.h"

namespace isolate::x11 {
namespace {

// Files in the server's own /tmp.
constexpr const char* kHostCookie = "/tmp/display-cookie";
constexpr const char* kCookie = "/tmp/cookie";
constexpr const char* kLog = "/tmp/log";
constexpr const char* kSockets = "/tmp/.X11-unix";
// The socket of the caller's display. The new server's number is never as low as 0, so the two differ.
constexpr const char* kHostSocket = "/tmp/.X11-unix/X0";

constexpr const char* kSize = "1280x800";  // until the user resizes the window
constexpr int kPatience = 15'000;          // milliseconds

bool is_abstract(const XTask& task) { return task.socket.starts_with('@'); }
bool is_on_wayland(const XTask& task) { return task.socket.empty(); }

bool is_root() { return ::geteuid() == 0; }

Result<XCookie> fresh_cookie() {
  constexpr std::size_t kBytes = 16;
  XCookie cookie{"MIT-MAGIC-COOKIE-1", std::string(kBytes, '\0')};
  if (::getrandom(cookie.bytes.data(), kBytes, 0) != kBytes) return fail(errno, "getrandom");
  return cookie;
}

// An ordinary user can make these namespaces only inside a user namespace, in which they keep their own ids.
Result<void> enter_own_namespaces(bool needs_network) {
  if (!is_root()) {
    const auto caller = Caller::current();
    const IdMaps maps = {{{caller.uid, caller.uid, 1}}, {{caller.gid, caller.gid, 1}}};
    const auto user = TRY(make_user_namespace(maps, MapWriter::self));
    TRY(trace::check(::setns(user.get(), CLONE_NEWUSER), "setns", "user namespace"));
  }
  TRY_VOID(mount::new_namespace());
  // An abstract socket of the display belongs to the host's network namespace.
  if (!needs_network) TRY(trace::check(::unshare(CLONE_NEWNET), "unshare", "network namespace"));
  return {};
}

Result<void> give_to_server(const char* path, const XTask& task) {
  if (is_root() && ::chown(path, task.uid, task.gid) != 0) return fail(errno, std::string("chown ") + path);
  return {};
}

Result<void> write_file(const char* path, std::string_view content, const XTask& task) {
  const auto file = TRY(open_file(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0600));
  TRY_VOID(write_all(file.get(), content, path));
  return give_to_server(path, task);
}

// The number under which the new server finds the caller's display: an abstract socket keeps its name.
unsigned host_number(const XTask& task) {
  if (!is_abstract(task)) return 0;
  const auto digits = task.socket.substr(task.socket.rfind('X') + 1);
  return static_cast<unsigned>(text::number(digits, "display", 0, UINT16_MAX).value_or(0));
}

// The server sends the caller's cookie to this socket, so it must be the one that isolate has checked.
Result<Fd> copy_host_socket(const XTask& task, const Fd& checked) {
  auto tree = TRY(mount::copy_tree(AT_FDCWD, task.socket, false));
  const auto copied = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  const auto wanted = TRY(status_of(checked.get(), "", AT_EMPTY_PATH));
  if (copied.st_dev == wanted.st_dev && copied.st_ino == wanted.st_ino) return tree;
  return fail(text::printable(task.socket) + " was replaced during the start; try again");
}

Result<void> make_own_tmp(const XTask& task, const XCookie& cookie, const Fd& checked) {
  Fd host_socket;
  if (task.socket.starts_with('/')) host_socket = TRY(copy_host_socket(task, checked));
  const auto tmpfs = TRY(mount::make("tmpfs", {{"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  TRY_VOID(mount::attach(tmpfs, TRY(open_file(AT_FDCWD, "/tmp", O_PATH | O_DIRECTORY)).get(), "/tmp"));
  TRY_VOID(give_to_server("/tmp", task));
  TRY_VOID(make_directory(AT_FDCWD, kSockets, 01777));
  if (::chmod(kSockets, 01777) != 0) return fail(errno, std::string("chmod ") + kSockets);
  TRY_VOID(give_to_server(kSockets, task));
  if (host_socket) {
    TRY(open_file(AT_FDCWD, kHostSocket, O_CREAT | O_EXCL | O_WRONLY, 0600));
    TRY_VOID(mount::attach(host_socket, TRY(open_file(AT_FDCWD, kHostSocket, O_PATH)).get(), kHostSocket));
  }
  const auto host_cookie =
      task.cookie.bytes.empty() ? std::string() : TRY(authority_file(host_number(task), task.cookie));
  TRY_VOID(write_file(kHostCookie, host_cookie, task));
  return write_file(kCookie, TRY(authority_file(task.number, cookie)), task);
}

Result<void> become_user_of_server(const XTask& task) {
  if (is_root()) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(task.gid, task.gid, task.gid) != 0 ||
        ::setresuid(task.uid, task.uid, task.uid) != 0) {
      return fail(errno, fmt::format("become user {}", task.uid));
    }
  }
  TRY(trace::check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "no_new_privs"));
  return {};
}

constexpr int kReady = 3;
constexpr int kCompositor = 4;

// Since version 23.1, rootful Xwayland can have a frame, and a size that the user can change.
Result<std::vector<std::string>> options_of_xwayland(const XTask& task) {
  std::vector<std::string> options = {"-shm"};
  const auto help = TRY(run_program({task.program, "-help"}));
  const auto known = help.out + help.err;
  if (known.find("\n-geometry") != std::string::npos) options.insert(options.end(), {"-geometry", kSize});
  if (known.find("\n-decorate") != std::string::npos) options.emplace_back("-decorate");
  return options;
}

Result<std::vector<std::string>> command_line(const XTask& task) {
  std::vector<std::string> words = {task.program,
                                    fmt::format(":{}", task.number),
                                    "-auth",
                                    kCookie,
                                    "-nolisten",
                                    "tcp",
                                    "-nolisten",
                                    "local",
                                    "-noreset",
                                    "-displayfd",
                                    std::to_string(kReady)};
  const auto more = is_on_wayland(task)
                        ? TRY(options_of_xwayland(task))
                        : std::vector<std::string>{"-resizeable", "-title", task.title, "-screen", kSize};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> variables(const XTask& task) {
  std::vector<std::string> all = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C", "XDG_RUNTIME_DIR=/tmp"};
  if (is_on_wayland(task)) {
    all.push_back(fmt::format("WAYLAND_SOCKET={}", kCompositor));
  } else {
    all.push_back(fmt::format("DISPLAY=:{}", host_number(task)));
    all.push_back(std::string("XAUTHORITY=") + kHostCookie);
  }
  return all;
}

// Gives the server /dev/null, the log, `ready` and the connection to the compositor, and nothing else.
Result<void> arrange_descriptors(const Fd& log, int ready, const Fd& compositor) {
  constexpr int kAbove = kCompositor + 1;
  const Fd null = TRY(open_file(AT_FDCWD, "/dev/null", O_RDWR));
  const int moved = ::fcntl(ready, F_DUPFD_CLOEXEC, kAbove);
  const int moved_compositor = compositor ? ::fcntl(compositor.get(), F_DUPFD_CLOEXEC, kAbove) : -1;
  const Fd log_above(::fcntl(log.get(), F_DUPFD_CLOEXEC, kAbove));
  if (moved < 0 || !log_above || ::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(null.get(), STDOUT_FILENO) < 0 ||
      ::dup2(log_above.get(), STDERR_FILENO) < 0 || ::dup2(moved, kReady) < 0 ||
      (compositor && ::dup2(moved_compositor, kCompositor) < 0)) {
    return fail(errno, "dup2");
  }
  ::syscall(SYS_close_range, compositor ? kAbove : kCompositor, ~0U, 0);
  return {};
}

// Becomes the server, which writes a line to `ready` when clients may connect.
Result<void> become_server(const XTask& task, const std::vector<std::string>& words, const Fd& parent, int ready,
                           const Fd& compositor) {
  const auto log = TRY(open_file(AT_FDCWD, kLog, O_CREAT | O_EXCL | O_WRONLY, 0600));
  TRY_VOID(become_user_of_server(task));
  // The change of ids has cleared the death signal.
  tie_to_parent(parent.get());
  reset_signals();
  TRY_VOID(arrange_descriptors(log, ready, compositor));
  const auto environment_words = variables(task);
  auto arguments = pointer_array(words);
  auto environment = pointer_array(environment_words);
  ::execve(arguments[0], arguments.data(), environment.data());
  return fail(errno, "start " + task.program);
}

// The last line that the server has written says why it ended.
Error failure_of_server(const XTask& task) {
  std::string last;
  for (const auto& line : text::split(read_file(kLog).value_or(""), '\n')) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  }
  return Error(
      fmt::format("{} does not start: {}", task.program, last.empty() ? "no reason given" : text::printable(last)));
}

Result<void> wait_until_ready(const XTask& task, int ready) {
  char byte = 0;
  if (!TRY(wait_readable(ready, kPatience)) || ::read(ready, &byte, 1) != 1) return fail(failure_of_server(task));
  return {};
}

}  // namespace

Result<void> run_nested_server(const XTask& task, Fd given) {
  const auto cookie = TRY(fresh_cookie());
  const auto words = TRY(command_line(task));
  TRY_VOID(enter_own_namespaces(is_abstract(task)));
  TRY_VOID(make_own_tmp(task, cookie, given));
  const auto compositor = is_on_wayland(task) ? std::move(given) : Fd();
  auto ready = TRY(make_pipe("server"));
  const auto parent = own_pidfd();
  // The server is the first process of a pid namespace, so all programs that it has started end with it.
  const auto server = TRY(fork_child(CLONE_NEWPID, [&] {
    const auto outcome = become_server(task, words, parent, ready.write.get(), compositor);
    if (!outcome) ::dprintf(STDERR_FILENO, "%s\n", outcome.error().message().c_str());
    return 1;
  }));
  ready.write.reset();
  TRY_VOID(wait_until_ready(task, ready.read.get()));
  const auto socket = TRY(mount::copy_tree(AT_FDCWD, fmt::format("{}/X{}", kSockets, task.number), false));
  hold_termination();
  TRY_VOID(answer(cookie, {socket.get()}));
  wait_for_end({server.pidfd()}, [] { return false; });
  return {};
}

}  // namespace isolate::x11
