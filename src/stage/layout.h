// The stage: the tmpfs on which a root is put together. Launcher, hooks and daemon use the same names on it.
#pragma once

#include <string>

namespace isolate::stage {

// Where the stage is mounted for root's runs and for leases of the daemon.
constexpr const char* kOfRoot = "/run/isolate/stage";
// Where it is for an ordinary user's own clones. Their directories may be closed to the ids inside; /tmp never is, and
// everything that the run needs of the host's /tmp has been opened before.
constexpr const char* kOfUser = "/tmp";

constexpr const char* kRoot = "root";    // the guest's root is mounted here
constexpr const char* kClone = "c";      // the clone's directory, if the root is an overlay
constexpr const char* kUpper = "upper";  // in it: the changes
constexpr const char* kWork = "work";    // in it: what overlayfs needs for itself
constexpr const char* kParts =
    "parts";  // only the daemon uses it: the layers and the clone, until the overlay is mounted
// The daemon makes this directory if the guest's user namespace lies beside the lease's. A mount on it in the lease's
// mount namespace appears in the guest's too, and the kernel locks it there.
constexpr const char* kDoor = "door";

// Layer number 0 is the topmost one. The kernel takes all of an overlay's options on one page, so names are short.
inline std::string layer(std::size_t number) { return "l" + std::to_string(number); }
// The source of a bind, by its number in the plan.
inline std::string bind(std::size_t number) { return "b" + std::to_string(number); }

// The path of NAME on a stage, and of NAME in the clone's directory on it.
inline std::string path(const std::string& stage, const char* name) { return stage + "/" + name; }
inline std::string in_clone(const char* name) { return std::string(kClone) + "/" + name; }

}  // namespace isolate::stage
