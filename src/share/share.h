// What a run is given of the host beyond binds: a file of this folder for each thing, and a line for it in share.cc.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "linux/caller.h"
#include "request/request.h"
#include "share/root_mount.h"

namespace isolate {

// The root while the launcher puts it together, as far as a share may touch it. Paths are in the root, and never lead
// out of it. `number` is that of the mount in the plan.
class RootInProgress {
 public:
  // What a share's decisions depend on.
  struct Traits {
    bool is_template = false;     // a clone of one; otherwise a run on a directory, which is not to be changed unasked
    bool maps_ids = false;        // the launcher has rights over the guest's ids, which are other ids than the host's
    bool root_is_id_one = false;  // in the user namespace that owns the mounts, the guest's root is id 1
    std::string host_name;        // the guest's
  };

  RootInProgress() = default;
  RootInProgress(const RootInProgress&) = delete;
  RootInProgress& operator=(const RootInProgress&) = delete;
  virtual ~RootInProgress() = default;

  virtual const Traits& traits() const = 0;
  // False: what is not there must not be made, since the root is read-only.
  virtual bool may_create_targets() const = 0;
  virtual int root() const = 0;   // its top directory
  virtual int stage() const = 0;  // the stage's, a tmpfs

  // With the caller's rights, before the namespaces are entered: opens what the mount's source names; a device node of
  // the guest's own in its place; afterwards, the mount of what was opened. Errors of the last: ENOENT nothing was.
  virtual Result<void> open_bind(const RootMount& mount, std::size_t number) = 0;
  virtual Result<void> open_device(std::size_t number, const struct stat& device, const std::string& subject) = 0;
  virtual Result<Fd> opened(std::size_t number) = 0;

  // A directory that must be what it looks like, and no link to another place of the root.
  virtual Result<Fd> ordinary_directory(const std::string& target, bool create) const = 0;
  // A new directory of the stage's tmpfs as a mount of its own: all that a guest keeps in memory shares one tmpfs.
  virtual Result<Fd> scratch(const std::string& name, mode_t mode, std::uint64_t attributes) = 0;
  virtual Result<void> attach_tree(const Fd& tree, const std::string& target, bool is_directory) = 0;
  // Mounts a file on a name in /etc, whatever is there, also on a link.
  virtual Result<void> cover_in_etc(const Fd& tree, const std::string& name) = 0;
  // Makes the mount read-only once binds have found or made their places in it.
  virtual void close_at_the_end(Fd tree, const std::string& target) = 0;
};

struct Share {
  const char* name;  // also of the step that mounts it
  // Nothing: this run does not get it.
  std::optional<RootMount> (*plan)(const RunRequest& request);
  std::string (*describe)(const RootMount& mount);
  // Opens what it needs of the host; null: nothing. Errors: the caller may not have it.
  Result<void> (*open)(RootInProgress* root, const RootMount& mount, std::size_t number);
  Result<void> (*mount)(RootInProgress* root, const RootMount& mount, std::size_t number);
};

extern const Share kHostSys;     // /sys as the host has it, for the chroot engine
extern const Share kProcessors;  // a read-only /sys with the host's processors and memory nodes
extern const Share kResolvConf;  // the host's /etc/resolv.conf, with the host's network
extern const Share kHosts;       // /etc/hosts with localhost and the guest's name
extern const Share kTun;         // /dev/net/tun, with LXC_MAP_TUN

// The mounts of all shares that the run gets, in the order in which they are mounted.
std::vector<RootMount> plan_shares(const RunRequest& request);

// What a share has started outside of the guest. It ends with this object.
class Held {
 public:
  Held() = default;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  virtual ~Held() = default;
  // The guest's end of the connection with it; -1: there is none.
  virtual int guest_end() const { return -1; }
};

// Whether the guest has the host's network: it, or nobody, has a bridge's.
bool has_network_of_host(const RunRequest& request);
// The bridge with which a container is connected; empty: none.
std::string bridge_of(const RunRequest& request);
// Errors: there is no such bridge; what it takes to connect with it is not installed.
Result<void> check_bridge(const std::string& bridge, const Caller& caller);
// Connects the container that is started next.
Result<std::unique_ptr<Held>> start_bridge(const std::string& bridge, const Caller& caller);

}  // namespace isolate
