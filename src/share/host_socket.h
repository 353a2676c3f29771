// A socket on which a server of the caller's desktop listens, such as a sound server: checks whose it is, and gives it
// to a guest.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "share/share.h"

namespace isolate {

// Connects to a socket: a path, or '@' and the name of an abstract socket. Sending and receiving wait at most 5
// seconds.
Result<Fd> connect_to(const std::string& name);
// Whether a server of this user may see what the guest does: the caller's own or root's servers may.
bool is_trusted(uid_t owner, const Caller& caller);

// XDG_RUNTIME_DIR. Errors: plain text: it is not set. `server` is what the caller looks for there.
Result<std::string> callers_runtime_directory(const char* server);

// The Wayland display that WAYLAND_DISPLAY names. Errors: XDG_RUNTIME_DIR is not set.
constexpr const char* kCompositor = "the Wayland compositor";
Result<std::string> path_of_compositor();

struct HostSocket {
  std::string path;
  Fd file;        // opened with O_PATH, which keeps the inode's number from being used again
  Fd connection;  // to the server
  uid_t owner = 0;
  mode_t mode = 0;
};
// Opens a socket and connects to its server. Errors: plain text: no server listens there; the socket or the server
// belongs to neither the caller nor root. `server` is the server's name for messages.
Result<HostSocket> open_host_socket(const std::string& path, const char* server, const Caller& caller);

// Errors: the mount `tree` is not the socket that was checked, because another one has replaced it since.
Result<void> check_is_same(const Fd& tree, const HostSocket& socket);

// A file next to a socket. Only the guest's root may read it.
struct PrivateFile {
  std::string name;
  std::string content;
};

// Puts a socket of the host into a guest's XDG_RUNTIME_DIR, with the files. Mounts the socket if the guest's root
// may connect to it; otherwise a relay connects the guest. `directory` is the directory below XDG_RUNTIME_DIR for all
// of them; empty: XDG_RUNTIME_DIR itself.
Result<std::unique_ptr<Held>> share_socket(HostSocket socket, const ShareContext& context, std::string directory,
                                           std::string name, std::vector<PrivateFile> files = {});

}  // namespace isolate
