#include "lxc/container.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <lxc/lxccontainer.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "linux/keys.h"
#include "linux/mount.h"
#include "linux/network_namespace.h"
#include "lxc/log.h"
#include "lxc/network.h"
#include "wire/init_protocol.h"

namespace isolate::lxc {
namespace {

// A directory that comes with liblxc, on which LXC mounts the root of a container. isolate-lxc mounts a tmpfs there for
// everything that LXC wants to write.
constexpr const char* kScratch = ISOLATE_LXC_ROOTFS;

std::string scratch(const std::string& name) { return kScratch + ("/" + name); }

// This process has a mount namespace of its own. Therefore no other process sees the tmpfs, and the kernel removes it
// when this process and the container have ended.
Result<void> make_scratch() {
  constexpr auto kAttributes = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  TRY(trace::check(::mount("tmpfs", kScratch, "tmpfs", kAttributes, "mode=0700"), "mount tmpfs", kScratch));
  for (const char* name : {"state", "root", "notify"}) {
    TRY(trace::check(::mkdir(scratch(name).c_str(), 0700), "mkdir", scratch(name)));
  }
  return {};
}

// LXC's own setting lxc.rootfs.options can't be used for this: with it LXC also changes how access times are kept,
// which the kernel refuses in a user namespace.
Result<void> forbid_setuid(const std::string& root) {
  const auto top = TRY(open_file(AT_FDCWD, root, O_PATH | O_DIRECTORY));
  return mount::set_attributes(top, {MOUNT_ATTR_NOSUID, -1, false, true}, root);
}

// LXC drops supplementary groups whenever it has CAP_SETGID. That is wrong in two cases: in a user namespace that
// denies setgroups(2), where LXC would fail, and when this process still has groups, because then the launcher has kept
// them for the guest. In both cases this gives up the capability, so that LXC does not try.
Result<void> keep_groups() {
  const auto setgroups = TRY(read_file("/proc/self/setgroups"));
  if (!setgroups.starts_with("deny") && ::getgroups(0, nullptr) <= 0) return {};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  TRY(trace::check(::syscall(SYS_capget, &header, data), "capget", ""));
  data[CAP_TO_INDEX(CAP_SETGID)].effective &= ~CAP_TO_MASK(CAP_SETGID);
  TRY(trace::check(::syscall(SYS_capset, &header, data), "capset", "setgid"));
  return {};
}

class Configuration {
 public:
  explicit Configuration(lxc_container* container) : container_(*container) {}
  // LXC would take the text after a line feed for another line of its configuration.
  Result<void> set(const std::string& key, const std::string& value) {
    if (value.find_first_of("\r\n") != std::string::npos) {
      return fail("LXC can't use '" + text::printable(value) + "' for " + key + ", because it is more than one line");
    }
    if (container_.set_config_item(&container_, key.c_str(), value.c_str())) return {};
    return fail("LXC refuses the setting " + key + " = " + text::printable(value));
  }

 private:
  lxc_container& container_;
};

// LXC mounts /proc, and for a system's init also /sys and the control groups. The kernel allows a new /sys only in a
// user namespace that owns the network namespace. With the host's network, configure() binds the host's /sys instead.
std::string automatic_mounts(const ContainerRequest& request) {
  std::string mounts = "proc:mixed";
  // The host's /sys already shows the host's control groups. "force" makes LXC mount the container's over them.
  if (request.boots) mounts += request.network == Network::host ? " cgroup:mixed:force" : " cgroup:mixed";
  if (request.boots && request.network != Network::host) mounts += " sys:mixed";
  return mounts;
}

Result<void> configure_network(const ContainerRequest& request, Configuration* configuration) {
  if (!request.ping_groups.empty()) {
    TRY_VOID(configuration->set("lxc.sysctl.net.ipv4.ping_group_range", request.ping_groups));
  }
  if (request.network == Network::bridge) {
    TRY_VOID(configuration->set("lxc.net.0.type", "none"));
    return configuration->set("lxc.namespace.share.net", std::to_string(request.network_holder));
  }
  if (request.network == Network::host) return configuration->set("lxc.net.0.type", "none");
  TRY_VOID(configuration->set("lxc.net.0.type", "empty"));
  // Bring up the loopback device, which is the only one in an empty network.
  return configuration->set("lxc.net.0.flags", "up");
}

Result<void> configure(const ContainerRequest& request, Configuration* configuration) {
  const std::pair<const char*, std::string> items[] = {
      {"lxc.log.file", scratch("log")},
      {"lxc.log.level", request.keeps_log ? "TRACE" : "ERROR"},
      {"lxc.rootfs.mount", scratch("root")},
      {"lxc.rootfs.path", "dir:" + request.root},
      {"lxc.uts.name", request.name},
      // The launcher has already mounted /dev and everything else below the root.
      {"lxc.autodev", "0"},
      {"lxc.mount.auto", automatic_mounts(request)},
      {"lxc.console.path", "none"},
      {"lxc.tty.max", "0"},
      // Without a number LXC would unmount the devpts that the launcher has mounted.
      {"lxc.pty.max", "1024"},
      // Only root of the host could apply an AppArmor profile. The namespaces and seccomp filters confine the guest.
      {"lxc.apparmor.profile", "unconfined"},
  };
  for (const auto& [key, value] : items) TRY_VOID(configuration->set(key, value));
  for (const auto& file : key_files()) {
    TRY_VOID(configuration->set("lxc.mount.entry", "/dev/null " + file.substr(1) + " none bind"));
  }
  if (request.boots) {
    if (request.network == Network::host) {
      TRY_VOID(configuration->set("lxc.mount.entry", "/sys sys none rbind,ro,nosuid,nodev,noexec,create=dir"));
    }
    // systemd mounts nothing on a /run that is a mount already. The tmpfs therefore keeps the socket in /run/host
    // visible to which systemd reports that it has booted.
    TRY_VOID(configuration->set("lxc.mount.entry", "tmpfs run tmpfs nosuid,nodev,mode=0755,create=dir"));
    TRY_VOID(configuration->set("lxc.mount.entry",
                                scratch("notify") + " run/host none bind,nosuid,nodev,noexec,create=dir"));
  }
  return configure_network(request, configuration);
}

}  // namespace

std::string notify_socket() { return scratch("notify/socket"); }

Result<void> prepare(ContainerRequest* request) {
  TRY_VOID(make_scratch());
  if (request->keeps_log) {
    const auto file = "/proc/self/fd/" + std::to_string(protocol::kLogFd);
    TRY(trace::check(::symlink(file.c_str(), scratch("log").c_str()), "symlink", "log"));
  }
  TRY_VOID(forbid_setuid(request->root));
  TRY_VOID(keep_groups());
  // LXC puts its locks below these two directories. Without this it would use the caller's home directory.
  const auto state = scratch("state");
  ::setenv("HOME", state.c_str(), 1);
  ::setenv("XDG_RUNTIME_DIR", state.c_str(), 1);
  // LXC listens on an abstract socket, which every process in the same network namespace could connect to. Therefore
  // LXC gets a network namespace of its own, unless the container is to have the host's network.
  if (request->network != Network::host) {
    TRY(trace::check(::unshare(CLONE_NEWNET), "unshare", "network of LXC's monitor"));
    // LXC refuses to start a container if it can't write one of its sysctl settings. Therefore try in this namespace
    // which setting the kernel accepts. If it accepts none, only ping does not work in the guest.
    if (auto groups = allow_ping()) request->ping_groups = std::move(*groups);
  }
  if (request->network == Network::bridge) request->network_holder = TRY(make_bridged_network(protocol::kBridgeFd));
  return {};
}

Result<Container> make_container(const ContainerRequest& request) {
  Container container(::lxc_container_new(request.name.c_str(), scratch("state").c_str()));
  if (!container) return fail("LXC could not create container " + request.name);
  Configuration configuration(container.get());
  TRY_VOID(configure(request, &configuration));
  return container;
}

Error lxc_error(const std::string& what) { return Error(what + ": " + errors_in_log(scratch("log"))); }

}  // namespace isolate::lxc
