#include "x11/untrusted.h"

#include <stdlib.h>

#include <cstdint>

#include "x11/security.h"
#include "x11/task.h"

namespace isolate::x11 {
namespace {

// How long the cookie stays valid if this process is killed before it can revoke it, and the guest has no client.
constexpr std::uint32_t kSecondsWithoutClient = 5;

// Discards what the server sends unasked, such as changes of the keyboard. Returns false if the server has ended.
bool discard_events(xcb_connection_t* connection) {
  while (auto* event = ::xcb_poll_for_event(connection)) ::free(event);
  return ::xcb_connection_has_error(connection) == 0;
}

}  // namespace

Result<void> keep_untrusted_cookie(Fd socket, Fd second_socket, const XTask& task) {
  const auto connection = TRY(introduce(std::move(socket), task.cookie));
  TRY_VOID(check_security(connection.get()));
  const auto authorization = TRY(make_untrusted(connection.get(), kSecondsWithoutClient));
  // This client does nothing but keep the cookie valid. It disconnects when this process is killed.
  auto keeper = introduce(std::move(second_socket), authorization.cookie);
  if (!keeper) {
    TRY_VOID(revoke(connection.get(), authorization.id));
    return fail(std::move(keeper).error());
  }
  hold_termination();
  TRY_VOID(answer(authorization.cookie));
  wait_for_end({::xcb_get_file_descriptor(connection.get()), ::xcb_get_file_descriptor(keeper->get())},
               [&] { return discard_events(connection.get()) && discard_events(keeper->get()); });
  return revoke(connection.get(), authorization.id);
}

}  // namespace isolate::x11
