// An X11 display of the host: its socket, the server behind it, and the caller's cookie for it.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"

namespace isolate {

struct XDisplay {
  unsigned number = 0;
  std::string socket;  // a path, or '@' and the name of an abstract socket

  bool is_abstract() const { return socket.starts_with('@'); }
};

// A cookie (Xsecurity(7)): its kind, such as MIT-MAGIC-COOKIE-1, and its bytes. Both are empty if there is none.
struct XCookie {
  std::string kind;
  std::string bytes;
  bool operator==(const XCookie&) const = default;
};

// Reads a value of DISPLAY: ":0", "unix:0.0", or the path of a socket. Errors: plain text: it is not set, it names a
// display of another machine, or it has another form.
Result<XDisplay> parse_display(const char* value);

// Connects to the display that DISPLAY names, as libxcb does: to its socket in /tmp/.X11-unix, or else to its abstract
// one. Errors: plain text: no server listens there; the server belongs to neither the caller nor root.
struct XConnection {
  XDisplay display;
  Fd socket;
};
Result<XConnection> connect_to_display(const Caller& caller);

// Whether the session has a Wayland compositor and no X display.
bool has_only_wayland();

// The caller's cookie for a display, from the file that XAUTHORITY names, or from ~/.Xauthority.
XCookie cookie_for(const XDisplay& display);

// Asks the server to accept a client with this cookie. Errors: plain text: the server refuses it.
Result<void> check_access(const XConnection& connection, const XCookie& cookie);

// Whether the server at the abstract socket of a display accepts clients of this process's user without a cookie.
bool accepts_without_cookie(unsigned number);

// Chooses a number for a guest's own server. A guest with the host's network sees the host's abstract sockets, and
// libX11 prefers those to the socket in the guest's /tmp, so this avoids the numbers of abstract sockets.
Result<unsigned> unused_display_number();

// The content of a file for XAUTHORITY with one cookie for display `number`, whatever the host's name is.
Result<std::string> authority_file(unsigned number, const XCookie& cookie);

}  // namespace isolate
