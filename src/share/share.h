// Share: a thing of the host that a guest gets besides binds, such as /etc/resolv.conf. Each has a file in this folder
// and an entry in share.cc.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "linux/caller.h"
#include "request/request.h"
#include "share/root_mount.h"

namespace isolate {

// RootInProgress: what a share may do with the root while the launcher puts the root together. Paths are resolved in
// the root and never lead out of it. `number` is the mount's position in the plan.
class RootInProgress {
 public:
  // The facts that shares base their decisions on.
  struct Traits {
    bool is_template = false;     // a clone; otherwise a directory, where isolate makes only what the user asks for
    bool maps_ids = false;        // the run is root's and the guest's ids differ from those of the host's users
    bool root_is_id_one = false;  // in the user namespace that owns the mounts, the guest's root is id 1
    std::string host_name;        // of the guest
  };

  RootInProgress() = default;
  RootInProgress(const RootInProgress&) = delete;
  RootInProgress& operator=(const RootInProgress&) = delete;
  virtual ~RootInProgress() = default;

  virtual const Traits& traits() const = 0;
  // False: missing mount points must not be made in the root, because it is read-only.
  virtual bool may_create_targets() const = 0;
  virtual int root() const = 0;   // its top directory
  virtual int stage() const = 0;  // the top directory of the stage, a tmpfs
  virtual int tmp() const = 0;    // the guest's /tmp, a directory of that tmpfs; always writable here

  // The launcher calls the first two with the caller's rights, before it mounts the stage. open_bind() opens the source
  // of the mount; open_device() makes a device node of the guest's own instead. Later, opened() returns the result as a
  // mount. Errors of opened(): ENOENT the first two have opened nothing.
  virtual Result<void> open_bind(const RootMount& mount, std::size_t number) = 0;
  virtual Result<void> open_device(std::size_t number, const struct stat& device, const std::string& subject) = 0;
  virtual Result<Fd> opened(std::size_t number) = 0;

  // Opens a directory of the root. Errors: it is a symbolic link.
  virtual Result<Fd> ordinary_directory(const std::string& target, bool create) const = 0;
  // Makes a directory in the stage's tmpfs and returns it as a mount. All of a guest's files in memory share this
  // tmpfs, so that one size limits them together.
  virtual Result<Fd> scratch(const std::string& name, mode_t mode, std::uint64_t attributes) = 0;
  virtual Result<void> attach_tree(const Fd& tree, const std::string& target, bool is_directory) = 0;
  // Mounts a file on a name in /etc. If the name is a link, the mount covers the link itself.
  virtual Result<void> cover_in_etc(const Fd& tree, const std::string& name) = 0;
  // Makes the mount read-only at the end, because binds may still need mount points in it.
  virtual void close_at_the_end(Fd tree, const std::string& target) = 0;
};

// Something that a share has prepared or started for one run: a cookie, a connection, a process outside the guest. It
// ends when this object is destroyed. If isolate is killed, the share's processes notice that and end as well.
class Held {
 public:
  Held() = default;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  virtual ~Held() = default;
  // The guest's end of a connection to such a process. -1: there is no connection.
  virtual int guest_end() const { return -1; }
  // Do in the launcher what `open` and `mount` of Share do for a share that holds nothing.
  virtual Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number);
  virtual Result<void> mount(RootInProgress* root, const RootMount& mount, std::size_t number);
};

// The option with which a user asks for a share, on the command line and in the configuration.
struct ShareOption {
  char letter = 0;  // the short name, which takes no value; 0: the option has only a long name
  const char* name = nullptr;
  const char* value = nullptr;  // the placeholder for the value in the help text; null: the option takes no value
  bool needs_value = false;     // otherwise the value is optional, and only --NAME=VALUE gives it
  bool is_repeatable = false;   // otherwise a later value overrides an earlier one
  const char* help = nullptr;
  Result<void> (*check)(const std::string& value) = nullptr;  // null: every value is valid
};

// The user that the command runs as.
struct GuestUser {
  std::string name;
  std::uint32_t uid =
      0;  // 0: the guest's root; otherwise the command gets a user namespace in which the root has this id
  std::uint32_t gid = 0;
  std::string home;
  bool operator==(const GuestUser&) const = default;
};

// What a share adds to a run. It is plain data and holds no secret, because --dry-run prints it.
struct SharePlan {
  std::vector<RootMount> mounts;
  std::vector<std::string> environment;  // NAME=VALUE; the user's own variables override them
  std::vector<std::string> warnings;     // lines for the caller
  std::optional<GuestUser> user;         // nothing: the guest's root
  std::string locale;                    // the caller's, see settle_locale(); empty: none is wanted
};

// What start() may know about the run.
struct ShareContext {
  const RunRequest& request;
  Caller caller;
  std::string run;              // the id of the clone
  bool has_callers_id = false;  // on the host the command's processes belong to the caller
  std::uint32_t root_uid = 0;   // the host's id of the guest's root
  std::uint32_t root_gid = 0;
};

struct Share {
  const char* name;  // also the name of the step that mounts it
  // Returns the mount for this run; nothing: the run does not get this share. Null: look_up() decides.
  std::optional<RootMount> (*plan)(const RunRequest& request) = nullptr;
  std::string (*describe)(const RootMount& mount) = nullptr;
  // Opens what the share needs from the host. Null: it needs nothing. Errors: the caller has no access to it.
  Result<void> (*open)(RootInProgress* root, const RootMount& mount, std::size_t number) = nullptr;
  Result<void> (*mount)(RootInProgress* root, const RootMount& mount, std::size_t number) = nullptr;

  // For shares that the user asks for by an option:
  const ShareOption* option = nullptr;
  bool needs_tmp = true;  // it puts files into the guest's own /tmp
  // Looks at the host with the caller's rights, before isolate makes anything. `wishes` holds the option's values and
  // is not empty. Errors: plain text that says what is missing and what to do.
  Result<SharePlan> (*look_up)(const RunRequest& request, const Caller& caller,
                               const std::vector<std::string>& wishes) = nullptr;
  // For an option that stands for others: the wishes that it adds in this session. They do not override what the user
  // asked for.
  std::vector<ShareWish> (*presets)(const RunRequest& request) = nullptr;
  // Starts what the mount needs; called once for each of the share's mounts, after the plan is made. Null, or a null
  // result: open() and mount() above do everything.
  Result<std::unique_ptr<Held>> (*start)(const RootMount& mount, const ShareContext& context) = nullptr;
};

extern const Share kHostSys;     // /sys as the host has it, for the chroot engine
extern const Share kProcessors;  // a read-only /sys with the host's processors and memory nodes
extern const Share kResolvConf;  // the host's /etc/resolv.conf, with the host's network
extern const Share kHosts;       // /etc/hosts with localhost and the guest's name
extern const Share kTun;         // /dev/net/tun, with LXC_MAP_TUN
extern const Share kHome;        // the caller's name and ids, and a home of the command's own (--home)
extern const Share kGpu;         // graphics devices (--gpu)
extern const Share kDesktop;     // what a program with windows needs (--desktop)
extern const Share kX11;         // an X11 display (-1)
extern const Share kWayland;     // a Wayland display (--wayland)
extern const Share kPulse;       // a PulseAudio server (-2)
extern const Share kPipeWire;    // a PipeWire server (--pipewire)
extern const Share kDbus;        // message buses (--dbus)

// The options of all shares.
std::vector<const ShareOption*> share_options();
// Checks a value and adds it to the request. "true" stands for the option without a value, "false" for its absence.
Result<void> add_wish(const ShareOption& option, const std::string& value, RunRequest* request);

// Adds the wishes of options that stand for others.
void expand_presets(RunRequest* request);

// Calls look_up() of every share that the request asks for. If an optional share fails, the result has a warning.
Result<SharePlan> look_up_shares(const RunRequest& request, const Caller& caller);
// The mounts of the shares that need no looking up, in the order in which they are mounted.
std::vector<RootMount> plan_shares(const RunRequest& request);
// Starts what the mounts need. The result has an entry for each mount; null: it needs nothing.
Result<std::vector<std::unique_ptr<Held>>> start_shares(const std::vector<RootMount>& mounts,
                                                        const ShareContext& context);

// Whether the guest uses the host's network. A container that is connected to a bridge does not.
bool has_network_of_host(const RunRequest& request);
// The bridge to which a container is connected; empty: none.
std::string bridge_of(const RunRequest& request);
// Errors: there is no such bridge; the program that connects a container to it is not installed.
Result<void> check_bridge(const std::string& bridge, const Caller& caller);
// Starts the child that connects the next container to the bridge.
Result<std::unique_ptr<Held>> start_bridge(const std::string& bridge, const Caller& caller);

}  // namespace isolate
