// The Wayland protocol security-context-v1 (wayland-protocols 1.32), by which a compositor learns that the clients of a
// socket are confined. Debian 12 lacks its description, so the parts that isolate-wayland uses are described here.
#pragma once

#include <wayland-client.h>

#include <cstdint>

namespace isolate {

extern const wl_interface kSecurityContextManager;
extern const wl_interface kSecurityContext;

// The numbers of the requests, in the order in which the protocol describes them.
enum class ManagerRequest : std::uint32_t { destroy, create_listener };
enum class ContextRequest : std::uint32_t { destroy, set_sandbox_engine, set_app_id, set_instance_id, commit };

}  // namespace isolate
