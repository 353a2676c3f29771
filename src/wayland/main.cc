// isolate-wayland: asks a Wayland compositor, by the protocol security-context-v1, to accept a guest on its own socket.
// It is a program of its own because isolate is linked statically, and Debian has libwayland-client only as a shared
// library. isolate starts it, with descriptors and messages as wire/wayland_protocol.h says.
//
//   isolate-wayland APP INSTANCE    the names under which the compositor knows the guest
#include <poll.h>
#include <wayland-client.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "linux/socket.h"
#include "wayland/security_context.h"
#include "wire/wayland_protocol.h"

namespace isolate {
namespace {

using Display = std::unique_ptr<wl_display, decltype(&wl_display_disconnect)>;
using Registry = std::unique_ptr<wl_registry, decltype(&wl_registry_destroy)>;

void note_global(void* data, wl_registry* /*registry*/, std::uint32_t name, const char* interface,
                 std::uint32_t /*version*/) {
  if (std::strcmp(interface, kSecurityContextManager.name) == 0) *static_cast<std::uint32_t*>(data) = name;
}
void forget_global(void* /*data*/, wl_registry* /*registry*/, std::uint32_t /*name*/) {}
constexpr wl_registry_listener kListener = {note_global, forget_global};

Result<void> synchronize(const Display& display) {
  if (wl_display_roundtrip(display.get()) >= 0) return {};
  return fail(wl_display_get_error(display.get()), "the Wayland compositor has ended the connection");
}

// Waits for isolate's message. If isolate can't make the guest's root, it closes the connection without one.
Result<std::vector<Fd>> receive_descriptors() {
  pollfd control{wayland_protocol::kControlFd, POLLIN, 0};
  if (::poll(&control, 1, -1) != 1) return fail(errno, "poll");
  auto message = TRY(receive_message(wayland_protocol::kControlFd, 1));
  return std::move(message.descriptors);
}

constexpr std::uint32_t kVersion = 1;  // of the protocol, the only one that there is

void describe_guest(wl_proxy* context, ContextRequest request, const char* text) {
  wl_proxy_marshal_flags(context, static_cast<std::uint32_t>(request), nullptr, kVersion, 0, text);
}

Result<void> restrict(const Display& display, const Registry& registry, std::uint32_t name, char** names) {
  TRY_VOID(send_message(wayland_protocol::kControlFd, wayland_protocol::kRestricts));
  const auto descriptors = TRY(receive_descriptors());
  if (descriptors.size() != 2) return fail("isolate has ended");
  auto* manager = static_cast<wl_proxy*>(wl_registry_bind(registry.get(), name, &kSecurityContextManager, kVersion));
  // "create_listener" has to be the first request and "commit" the last; the protocol allows each only once.
  auto* context =
      wl_proxy_marshal_flags(manager, static_cast<std::uint32_t>(ManagerRequest::create_listener), &kSecurityContext,
                             kVersion, 0, nullptr, descriptors[0].get(), descriptors[1].get());
  if (context == nullptr) return fail(errno, "create_listener");
  describe_guest(context, ContextRequest::set_sandbox_engine, "isolate");
  describe_guest(context, ContextRequest::set_app_id, names[0]);
  describe_guest(context, ContextRequest::set_instance_id, names[1]);
  wl_proxy_marshal_flags(context, static_cast<std::uint32_t>(ContextRequest::commit), nullptr, kVersion, 0);
  // After this the compositor has accepted the socket, or has refused it with a protocol error.
  TRY_VOID(synchronize(display));
  return send_message(wayland_protocol::kControlFd, wayland_protocol::kDone);
}

Result<void> serve(char** names) {
  const Display display(wl_display_connect_to_fd(wayland_protocol::kCompositorFd), &wl_display_disconnect);
  if (!display) return fail(errno, "connect to the Wayland compositor");
  const Registry registry(wl_display_get_registry(display.get()), &wl_registry_destroy);
  std::uint32_t manager = 0;
  wl_registry_add_listener(registry.get(), &kListener, &manager);
  TRY_VOID(synchronize(display));
  if (manager == 0) return send_message(wayland_protocol::kControlFd, wayland_protocol::kLacksContexts);
  return restrict(display, registry, manager, names);
}

}  // namespace
}  // namespace isolate

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto outcome = isolate::serve(argv + 1);
  if (outcome) return 0;
  // If isolate has ended, nobody reads the message.
  [[maybe_unused]] const auto sent =
      isolate::send_message(isolate::wayland_protocol::kControlFd, outcome.error().message());
  return 1;
}
