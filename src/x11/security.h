// The SECURITY extension of X servers (X11 Security Extension, protocol version 7.1): cookies whose clients the server
// does not trust.
#pragma once

#include <xcb/xcb.h>

#include <cstdint>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "share/x_display.h"

namespace isolate::x11 {

using Connection = std::unique_ptr<xcb_connection_t, decltype(&::xcb_disconnect)>;

// Introduces this process to the server at the other end of a connected socket. Errors: the server refuses the cookie.
Result<Connection> introduce(Fd socket, const XCookie& cookie);

// Errors: plain text: the server has no SECURITY extension.
Result<void> check_security(xcb_connection_t* connection);

struct Authorization {
  std::uint32_t id = 0;
  XCookie cookie;
};
// Makes a cookie whose clients the server does not trust. The server forgets the cookie `seconds` after its last client
// has disconnected, or `seconds` from now if no client connects.
Result<Authorization> make_untrusted(xcb_connection_t* connection, std::uint32_t seconds);

// Has the server forget the cookie and disconnect the clients that use it.
Result<void> revoke(xcb_connection_t* connection, std::uint32_t id);

}  // namespace isolate::x11
