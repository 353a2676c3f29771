// XHelper: the program isolate-x11, which serves one run. It makes an untrusted cookie and revokes it at the end, or it
// runs an X server of the guest's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/process.h"
#include "share/x_display.h"

namespace isolate {

// What isolate-x11 should do. isolate-x11 receives this as a message, because a cookie must not be in an argument list.
struct XTask {
  enum class Kind {
    check_security,  // say whether the server has the SECURITY extension
    untrusted,       // make an untrusted cookie, and keep it valid while isolate lives
    nested,          // run the server `program` until isolate ends
  };
  Kind kind = Kind::check_security;
  // nested: the socket of the X display on which the server shows its window. Unless it is abstract, the file that was
  // checked is sent along with the task. Empty: a connection to a Wayland compositor is sent along.
  std::string socket;
  std::string program;  // nested: the server, Xephyr or Xwayland
  std::string title;    // nested: the title of the window, which only Xephyr can set
  unsigned number = 0;  // nested: the display number of the new server
  // nested: the user that the server runs as, if isolate-x11 runs as root
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  XCookie cookie;  // the caller's
  bool operator==(const XTask&) const = default;
};
std::string packed(const XTask& task);
Result<XTask> unpacked(std::string_view message);

// What isolate-x11 sends back: an error, or a cookie.
std::string packed(const Result<XCookie>& answer);
Result<XCookie> unpacked_answer(std::string_view message);
constexpr std::size_t kLongestXMessage = 16384;

// isolate-x11 has its end of the connection to isolate as this descriptor.
constexpr int kXHelperControl = 0;

class XHelper {
 public:
  // Starts isolate-x11 and waits until it has done its task. `connections` lead to the caller's display, or are what is
  // sent along with a nested task.
  static Result<XHelper> start(const XTask& task, const std::vector<Fd>& connections);
  XHelper(XHelper&&) = default;
  XHelper& operator=(XHelper&&) = delete;
  // Tells isolate-x11 to undo everything and to end, and waits a short time for that.
  ~XHelper();

  // The cookie for the guest.
  const XCookie& cookie() const { return cookie_; }
  // nested: a detached mount of the new server's socket.
  const Fd& socket() const { return socket_; }

 private:
  XHelper(ChildProcess process, Fd control) : process_(std::move(process)), control_(std::move(control)) {}
  Result<void> wait_for_answer();
  ChildProcess process_;
  Fd control_;
  Fd socket_;
  XCookie cookie_;
};

}  // namespace isolate
