#include "share/host_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstddef>

#include "base/text.h"
#include "linux/file.h"
#include "linux/socket.h"
#include "share/guest_files.h"

namespace isolate {

Result<Fd> connect_to(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) return fail(ENAMETOOLONG, "connect to " + name);
  name.copy(address.sun_path, name.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (name.starts_with('@')) {
    address.sun_path[0] = 0;
  } else {
    ++length;
  }
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(errno, "socket");
  // A server that accepts nobody must not keep isolate waiting for ever.
  const timeval patience{5, 0};
  for (const int side : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    ::setsockopt(socket.get(), SOL_SOCKET, side, &patience, sizeof patience);
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    return fail(errno, "connect to " + name);
  }
  return socket;
}

// Root may have come from another user by sudo(8), whose server then is as trustworthy as that user.
bool is_trusted(uid_t owner, const Caller& caller) {
  if (owner == 0 || owner == caller.uid) return true;
  const char* before_sudo = ::getenv("SUDO_UID");
  return caller.is_root() && before_sudo != nullptr && std::to_string(owner) == before_sudo;
}

Result<std::string> callers_runtime_directory(const char* server) {
  const char* directory = ::getenv("XDG_RUNTIME_DIR");
  if (directory != nullptr && *directory == '/') return std::string(directory);
  return fail(fmt::format(
      "XDG_RUNTIME_DIR is not set, so isolate can't find {}; start isolate from the user's session, or set it",
      server));
}

Result<HostSocket> open_host_socket(const std::string& path, const char* server, const Caller& caller) {
  const auto shown = text::printable(path);
  auto file = open_file(AT_FDCWD, path, O_PATH);
  if (!file) return fail(fmt::format("{}: {} does not listen there ({})", shown, server, file.error().message()));
  const auto status = TRY(status_of(file->get(), "", AT_EMPTY_PATH));
  if (!S_ISSOCK(status.st_mode)) return fail(fmt::format("{}: it is not a socket, so {} is not there", shown, server));
  const auto refuse = [&](const char* what, uid_t owner) {
    return fail(fmt::format("{}: {} belongs to user {}, who would get what the guest sends", shown, what, owner));
  };
  if (!is_trusted(status.st_uid, caller)) return refuse("the socket", status.st_uid);
  // By this name it is the same socket that was checked, whatever the path leads to now.
  auto connection = connect_to(fmt::format("/proc/self/fd/{}", file->get()));
  if (!connection) return fail(fmt::format("{}: {} does not answer; is it running?", shown, server));
  const auto peer = TRY(socket_peer(connection->get()));
  if (!is_trusted(peer.uid, caller)) return refuse(server, peer.uid);
  return HostSocket{path, std::move(*file), std::move(*connection), status.st_mode};
}

Result<void> SharedSocket::open(RootInProgress* root, const RootMount& mount, std::size_t number) {
  return root->open_bind(mount, number);
}

Result<void> SharedSocket::mount(RootInProgress* root, const RootMount& mount, std::size_t number) {
  const auto tree = TRY(root->opened(number));
  const auto opened = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
  const auto checked = TRY(status_of(socket_.file.get(), "", AT_EMPTY_PATH));
  if (opened.st_dev != checked.st_dev || opened.st_ino != checked.st_ino) {
    return fail(text::printable(mount.source) + " was replaced in this moment; try again");
  }
  auto directory = TRY(runtime_directory(*root));
  if (!directory_.empty()) directory = TRY(directory_below(*root, directory, directory_.c_str(), 0700));
  for (const auto& file : files_) TRY_VOID(write_private_file(*root, directory, file.name.c_str(), file.content));
  return attach_socket(tree, directory, name_);
}

}  // namespace isolate
