// What isolate and isolate-wayland send each other over a socket that keeps message boundaries. isolate-wayland begins
// with kRestricts or kLacksContexts. isolate answers kRestricts with an empty line and two descriptors: a listening
// socket, and a pipe whose other end it closes when the compositor should stop accepting connections there.
// isolate-wayland ends with kDone. Any other message is the text of an error.
#pragma once

namespace isolate::wayland_protocol {

constexpr const char* kRestricts = "restricts";
constexpr const char* kLacksContexts = "lacks contexts";
constexpr const char* kDone = "done";
constexpr int kCompositorFd = 0;  // a connection to the compositor
constexpr int kControlFd = 1;     // a connection to isolate

}  // namespace isolate::wayland_protocol
