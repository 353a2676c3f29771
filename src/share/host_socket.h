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

// Connects with a path, or with '@' and the name of an abstract socket. Sending and receiving wait at most 5 seconds.
Result<Fd> connect_to(const std::string& name);
// Whether a server of this user may see what the guest does: the caller's own or root's servers may.
bool is_trusted(uid_t owner, const Caller& caller);

// XDG_RUNTIME_DIR. Errors: plain text: it is not set. `server` is what the caller looks for there.
Result<std::string> callers_runtime_directory(const char* server);

struct HostSocket {
  std::string path;
  Fd file;        // opened with O_PATH, which keeps the inode's number from being used again
  Fd connection;  // with the server
  mode_t mode = 0;
};
// Opens a socket and connects with its server. Errors: plain text: nobody listens there; the socket or the server
// belongs to somebody else than the caller or root. `server` is the server's name for messages.
Result<HostSocket> open_host_socket(const std::string& path, const char* server, const Caller& caller);

// A file that goes along with a socket, for the guest's root alone.
struct PrivateFile {
  std::string name;
  std::string content;
};

// Mounts a socket of the host in a guest's XDG_RUNTIME_DIR.
class SharedSocket : public Held {
 public:
  // `directory` is below XDG_RUNTIME_DIR and holds everything; empty: XDG_RUNTIME_DIR itself does.
  SharedSocket(HostSocket socket, std::string directory, std::string name, std::vector<PrivateFile> files = {})
      : socket_(std::move(socket)), directory_(std::move(directory)), name_(std::move(name)), files_(std::move(files)) {
    socket_.connection.reset();  // the server must not count isolate as a client while the guest runs
  }

  Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) override;
  Result<void> mount(RootInProgress* root, const RootMount& mount, std::size_t number) override;

 private:
  HostSocket socket_;
  std::string directory_;
  std::string name_;
  std::vector<PrivateFile> files_;
};

}  // namespace isolate
