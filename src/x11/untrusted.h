// An untrusted cookie that is valid while isolate lives.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "share/x_helper.h"

namespace isolate::x11 {

// Makes the cookie, sends it to isolate, waits for isolate's end, and revokes the cookie. The sockets are connected
// to the server. Errors: the server has no SECURITY extension.
Result<void> keep_untrusted_cookie(Fd socket, Fd second_socket, const XTask& task);

}  // namespace isolate::x11
