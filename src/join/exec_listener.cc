#include "join/exec_listener.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "join/exec_request.h"
#include "linux/file.h"
#include "linux/socket.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

constexpr std::uint64_t kHighestPid = 1 << 22;

// Opens a directory in `parent`, and makes it if it is missing. Both have to belong to the caller. The directory must
// be closed to other users, and so must `parent` unless it is said to be public.
enum class Parent { is_private, is_public };
enum class Missing { is_made, is_error };
Result<Fd> open_private(const Caller& caller, const std::string& parent, const char* name, Missing missing,
                        Parent kind = Parent::is_private) {
  const auto above = TRY(open_file(AT_FDCWD, parent, O_PATH | O_DIRECTORY));
  if (missing == Missing::is_made && ::mkdirat(above.get(), name, 0700) != 0 && errno != EEXIST)
    return fail(errno, "make " + parent + "/" + name);
  auto directory = TRY(open_file(above.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  for (const int opened : {above.get(), directory.get()}) {
    const auto status = TRY(status_of(opened, "", AT_EMPTY_PATH));
    const bool may_be_open = opened == above.get() && kind == Parent::is_public;
    if (status.st_uid != caller.uid || (!may_be_open && (status.st_mode & 077) != 0)) {
      return fail(EPERM, parent + "/" + name + " and the directory above it must be accessible to their user only");
    }
  }
  return directory;
}

// The pid in the name of a socket; 0 if no run has made this name.
pid_t pid_of_socket(std::string_view name) {
  const auto dot = name.rfind('.');
  const auto pid = text::number(dot == std::string_view::npos ? "" : name.substr(dot + 1), "pid", 1, kHighestPid);
  return pid ? static_cast<pid_t>(*pid) : 0;
}

Result<void> check_request(const ReceivedMessage& received) {
  if (received.bytes != protocol::kExecMark) return fail("it does not begin with the expected mark");
  if (received.descriptors.size() != protocol::kExecDescriptors) return fail("it has the wrong number of descriptors");
  return check_sealed_message(received.descriptors[protocol::kExecSetup]);
}

// Passes a request on to isolate-init. Errors: plain text for the client.
Result<void> pass_on(ReceivedMessage received, int control) {
  if (const auto checked = check_request(received); !checked) {
    return fail("isolate does not understand the request (" + checked.error().message() +
                "); do isolate and isolatectl have the same version?");
  }
  std::vector<int> descriptors;
  for (const auto& descriptor : received.descriptors) descriptors.push_back(descriptor.get());
  const protocol::Message message{protocol::Kind::exec, 0};
  auto sent = send_message(control, {reinterpret_cast<const char*>(&message), sizeof message}, descriptors);
  if (sent || sent.error().code() != EAGAIN) return sent;
  return fail("the guest takes no commands: its isolate-init no longer reads requests");
}

constexpr const char* kPlaceOfRoot = "/run/isolate/runs";

Result<RunsDirectory> in_runtime_directory(const Caller& caller, Missing missing) {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime == nullptr || *runtime != '/') return fail(ENOENT, "XDG_RUNTIME_DIR");
  return RunsDirectory{TRY(open_private(caller, runtime, "isolate", missing)), ""};
}

Result<RunsDirectory> in_store(const Caller& caller, const std::string& store, Missing missing) {
  return RunsDirectory{TRY(open_private(caller, store, "runs", missing)), ""};
}

Result<RunsDirectory> in_home(const Caller& caller, Missing missing) {
  const auto home = caller.home();
  if (home.empty()) return fail("the user has no home directory");
  constexpr const char* kName = ".isolate-runs";
  return RunsDirectory{TRY(open_private(caller, home, kName, missing, Parent::is_public)), home + "/" + kName};
}

Result<RunsDirectory> open_place_of_root() {
  return RunsDirectory{TRY(open_file(AT_FDCWD, kPlaceOfRoot, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), ""};
}

}  // namespace

Result<RunsDirectory> open_runs_directory(const Caller& caller, const std::string& store) {
  if (caller.is_root()) {
    if (::access(kPlaceOfRoot, F_OK) != 0) {
      TRY_VOID(make_directories("/run/isolate", 0755));
      TRY_VOID(make_directories(kPlaceOfRoot, 0700));
    }
    return open_place_of_root();
  }
  if (auto directory = in_runtime_directory(caller, Missing::is_made)) return directory;
  const bool has_store = ::access(store.c_str(), F_OK) == 0;
  return has_store ? in_store(caller, store, Missing::is_made) : in_home(caller, Missing::is_made);
}

std::vector<RunsDirectory> find_runs_directories(const Caller& caller, const std::string& store) {
  std::vector<RunsDirectory> found;
  const auto add = [&found](Result<RunsDirectory> place) {
    if (place) found.push_back(std::move(*place));
  };
  if (caller.is_root()) {
    add(open_place_of_root());
    return found;
  }
  add(in_runtime_directory(caller, Missing::is_error));
  add(in_store(caller, store, Missing::is_error));
  add(in_home(caller, Missing::is_error));
  return found;
}

bool is_socket_of(std::string_view name, const std::string& clone_id) {
  return pid_of_socket(name) != 0 && name.substr(0, name.rfind('.')) == clone_id;
}

Result<ExecListener> ExecListener::open_for(const Caller& caller, const std::string& store,
                                            const std::string& clone_id) {
  const auto open_once = [&]() -> Result<ExecListener> {
    return open(TRY(open_runs_directory(caller, store)), clone_id);
  };
  auto listener = open_once();
  // Another run may have ended and removed the directory just now.
  return !listener && listener.error().code() == ENOENT ? open_once() : std::move(listener);
}

Result<ExecListener> ExecListener::open(RunsDirectory place, const std::string& clone_id) {
  auto name = fmt::format("{}.{}", clone_id, ::getpid());
  auto socket = TRY(listen_in(place.directory, name));
  return ExecListener(std::move(place), std::move(socket), std::move(name));
}

ExecListener::~ExecListener() {
  if (!place_.directory) return;
  ::unlinkat(place_.directory.get(), name_.c_str(), 0);
  // This fails if the directory holds sockets of other runs. The last of those runs removes it.
  if (!place_.path_to_remove.empty()) ::rmdir(place_.path_to_remove.c_str());
}

std::string warm_socket_name(const std::string& clone_id, pid_t pid) {
  return fmt::format("{}.warm.{}", clone_id, pid);
}

void ExecListener::sweep() const {
  remove_dead_sockets(place_.directory);
  for (const auto& name : list_directory(place_.directory.get(), ".").value_or(std::vector<std::string>())) {
    if (!name.starts_with(kWarmDirectories)) continue;
    if (const auto guests = open_file(place_.directory.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) {
      remove_dead_sockets(*guests);
      ::unlinkat(place_.directory.get(), name.c_str(), AT_REMOVEDIR);  // fails if a guest is offered there
    }
  }
}

void remove_dead_sockets(const Fd& directory) {
  const auto names = list_directory(directory.get(), ".");
  if (!names) return;
  for (const auto& name : *names) {
    const auto pid = pid_of_socket(name);
    // Most sockets belong to runs that go on, and kill(2) is a cheap way to see that. If it finds no process, the run
    // may still live in another pid namespace, so only the socket itself can tell.
    if (pid == 0 || ::kill(pid, 0) == 0 || errno != ESRCH) continue;
    const auto connection = connect_in(directory, name);
    if (!connection && connection.error().code() == ECONNREFUSED) ::unlinkat(directory.get(), name.c_str(), 0);
  }
}

FurtherCommands::Sources ExecListener::sources() const {
  auto sources = no_sources();
  sources[0].fd = socket_.get();
  for (std::size_t i = 0; i < waiting_.size(); ++i) sources[1 + i].fd = waiting_[i].get();
  return sources;
}

void ExecListener::accept_one() {
  Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) return;
  const auto peer = socket_peer(connection.get());
  if (!peer || (peer->uid != 0 && peer->uid != ::getuid()) || !shares_pid_namespace(connection.get(), *peer)) return;
  if (waiting_.size() == kMostWaiting) waiting_.pop_front();
  waiting_.push_back(std::move(connection));
}

void ExecListener::serve(const Sources& answered, int control) {
  std::deque<Fd> waiting;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    auto& connection = waiting_[i];
    if (answered[1 + i].revents == 0) {
      waiting.push_back(std::move(connection));
      continue;
    }
    auto received = receive_message(connection.get(), sizeof protocol::kExecMark);
    if (received && received->bytes.empty()) continue;
    auto passed = received ? pass_on(std::move(*received), control) : fail(received.error());
    // A connection that is closed without a message means success. If the client has gone, nobody needs the reason.
    if (!passed) [[maybe_unused]]
      auto sent = send_message(connection.get(), passed.error().packed());
  }
  waiting_ = std::move(waiting);
  if (answered[0].revents != 0) accept_one();
}

}  // namespace isolate
