#include "share/host_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/environment.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/socket.h"
#include "share/guest_files.h"
#include "share/socket_relay.h"

namespace isolate {

Result<Fd> connect_to(const std::string& name) {
  auto socket = TRY(connect_stream(name));
  // A server that does not accept connections must not keep isolate waiting forever.
  if (::fcntl(socket.get(), F_SETFL, 0) != 0) return fail(errno, "fcntl " + name);
  const timeval patience{5, 0};
  for (const int side : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    ::setsockopt(socket.get(), SOL_SOCKET, side, &patience, sizeof patience);
  }
  return socket;
}

// After sudo(8), the servers of the user who became root are trusted as well.
bool is_trusted(uid_t owner, const Caller& caller) {
  if (owner == 0 || owner == caller.uid) return true;
  return caller.is_root() && std::to_string(owner) == environment_variable("SUDO_UID");
}

Result<std::string> callers_runtime_directory(const char* server) {
  auto directory = environment_variable("XDG_RUNTIME_DIR");
  if (directory.starts_with('/')) return directory;
  // sudo(8) removes the variable. systemd-logind made this directory for the user who called sudo.
  const auto user = environment_variable("SUDO_UID");
  const bool is_number = !user.empty() && user.find_first_not_of("0123456789") == std::string::npos;
  if (is_number && Caller::current().is_root()) return "/run/user/" + user;
  return fail(fmt::format(
      "XDG_RUNTIME_DIR is not set, so isolate can't find {}; start isolate from your session, or set it", server));
}

Result<std::string> path_of_compositor() {
  auto name = environment_variable("WAYLAND_DISPLAY");
  if (name.empty()) name = "wayland-0";
  if (name.starts_with('/')) return name;
  return TRY(callers_runtime_directory(kCompositor)) + "/" + name;
}

Result<HostSocket> open_host_socket(const std::string& path, const char* server, const Caller& caller) {
  const auto shown = text::printable(path);
  auto file = open_file(AT_FDCWD, path, O_PATH);
  if (!file && file.error().code() == EACCES) {
    return fail(fmt::format("{}: you have no access, so {} seems to belong to another user; name a server of your own",
                            shown, server));
  }
  if (!file) return fail(fmt::format("{}: {} does not listen there ({})", shown, server, file.error().message()));
  const auto status = TRY(status_of(file->get(), "", AT_EMPTY_PATH));
  if (!S_ISSOCK(status.st_mode))
    return fail(fmt::format("{} is not a socket, so {} does not listen there", shown, server));
  const auto refuse = [&](const char* what, uid_t owner) {
    return fail(fmt::format("{}: {} belongs to user {}, who would get what the guest sends", shown, what, owner));
  };
  if (!is_trusted(status.st_uid, caller)) return refuse("the socket", status.st_uid);
  // This name leads to the socket that was checked, whatever the path leads to now.
  auto connection = connect_to(fmt::format("/proc/self/fd/{}", file->get()));
  if (!connection) return fail(fmt::format("{}: {} does not answer; is it running?", shown, server));
  const auto peer = TRY(socket_peer(connection->get()));
  if (!is_trusted(peer.uid, caller)) return refuse(server, peer.uid);
  return HostSocket{path, std::move(*file), std::move(*connection), status.st_uid, status.st_mode};
}

Result<void> check_is_same(const Fd& tree, const HostSocket& socket) {
  const auto opened = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  const auto checked = TRY(status_of(socket.file.get(), "", AT_EMPTY_PATH));
  if (opened.st_dev == checked.st_dev && opened.st_ino == checked.st_ino) return {};
  return fail(text::printable(socket.path) + " was replaced during the start; try again");
}

namespace {

class SharedSocket : public Held {
 public:
  SharedSocket(HostSocket socket, std::string directory, std::string name, std::vector<PrivateFile> files)
      : socket_(std::move(socket)), directory_(std::move(directory)), name_(std::move(name)), files_(std::move(files)) {
    socket_.connection.reset();  // the server must not count isolate as a client while the guest runs
  }

  Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) override {
    return root->open_bind(mount, number);
  }

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t number) override {
    const auto tree = TRY(root->opened(number));
    TRY_VOID(check_is_same(tree, socket_));
    return attach_socket(tree, TRY(place(*root)), name_);
  }

 protected:
  // Makes the directory and the files.
  Result<Fd> place(const RootInProgress& root) const {
    auto directory = TRY(runtime_directory(root));
    if (!directory_.empty()) directory = TRY(directory_below(root, directory, directory_.c_str(), 0700));
    for (const auto& file : files_) TRY_VOID(write_private_file(root, directory, file.name.c_str(), file.content));
    return directory;
  }
  const std::string& name() const { return name_; }
  int file() const { return socket_.file.get(); }

 private:
  HostSocket socket_;
  std::string directory_;
  std::string name_;
  std::vector<PrivateFile> files_;
};

class RelayedSocket : public SharedSocket {
 public:
  RelayedSocket(HostSocket socket, std::string directory, std::string name, std::vector<PrivateFile> files,
                SocketRelay relay)
      : SharedSocket(std::move(socket), std::move(directory), std::move(name), std::move(files)),
        relay_(std::move(relay)) {}

  Result<void> open(RootInProgress* /*root*/, const RootMount& /*mount*/, std::size_t /*number*/) override {
    return {};
  }

  Result<void> mount(RootInProgress* root, const RootMount& /*mount*/, std::size_t /*number*/) override {
    return relay_.serve(TRY(listen_for_guest(TRY(place(*root)), name())), {file()});
  }

 private:
  SocketRelay relay_;
};

}  // namespace

Result<std::unique_ptr<Held>> share_socket(HostSocket socket, const ShareContext& context, std::string directory,
                                           std::string name, std::vector<PrivateFile> files) {
  const bool is_guests_own = context.has_callers_id && socket.owner == context.caller.uid;
  const bool is_open_to_all = (socket.mode & S_IWOTH) != 0;
  // With --userns=private the launcher of a member's run does not have the caller's id, so it can't enter the caller's
  // directories.
  const bool is_reachable = context.has_callers_id || context.caller.is_root();
  if (is_guests_own || (is_open_to_all && is_reachable)) {
    return std::make_unique<SharedSocket>(std::move(socket), std::move(directory), std::move(name), std::move(files));
  }
  RelayOptions options;
  // This name leads the relay to the socket that was checked, whatever the path leads to by then.
  const auto kept = std::make_shared<std::vector<Fd>>();  // lives as long as the relay
  options.prepare = [kept](std::vector<Fd> further) -> Result<std::string> {
    *kept = std::move(further);
    return fmt::format("/proc/self/fd/{}", kept->at(0).get());
  };
  auto relay = TRY(SocketRelay::start(socket.path, std::move(options)));
  return std::make_unique<RelayedSocket>(std::move(socket), std::move(directory), std::move(name), std::move(files),
                                         std::move(relay));
}

}  // namespace isolate
