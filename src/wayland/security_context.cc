#include "wayland/security_context.h"

#include <array>

namespace isolate {
namespace {

constexpr int kVersion = 1;

// A letter of a signature stands for an argument: n a new object, h a descriptor, s a text. `types` has an entry for
// each argument, which is null unless the argument is an object.
std::array<const wl_interface*, 3> listener_types = {&kSecurityContext, nullptr, nullptr};
std::array<const wl_interface*, 1> text_types = {nullptr};

constexpr std::array<wl_message, 2> kManagerRequests = {{
    {"destroy", "", nullptr},
    {"create_listener", "nhh", listener_types.data()},
}};
constexpr std::array<wl_message, 5> kContextRequests = {{
    {"destroy", "", nullptr},
    {"set_sandbox_engine", "s", text_types.data()},
    {"set_app_id", "s", text_types.data()},
    {"set_instance_id", "s", text_types.data()},
    {"commit", "", nullptr},
}};

}  // namespace

const wl_interface kSecurityContextManager = {"wp_security_context_manager_v1", kVersion, kManagerRequests.size(),
                                              kManagerRequests.data(),          0,        nullptr};
const wl_interface kSecurityContext = {"wp_security_context_v1", kVersion, kContextRequests.size(),
                                       kContextRequests.data(),  0,        nullptr};

}  // namespace isolate
