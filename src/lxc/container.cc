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

// Comes with liblxc, for LXC to mount a root on. Here it holds all that LXC wants to write.
constexpr const char* kScratch = ISOLATE_LXC_ROOTFS;

std::string scratch(const std::string& name) { return kScratch + ("/" + name); }

// This process's mount namespace is its own, so nothing of this is seen elsewhere, and it goes with the process.
Result<void> make_scratch() {
  constexpr auto kAttributes = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  TRY(trace::check(::mount("tmpfs", kScratch, "tmpfs", kAttributes, "mode=0700"), "mount tmpfs", kScratch));
  for (const char* name : {"state", "root", "notify"}) {
    TRY(trace::check(::mkdir(scratch(name).c_str(), 0700), "mkdir", scratch(name)));
  }
  return {};
}

// Not by LXC's lxc.rootfs.options, with which it changes times of access as well: in a user namespace nobody may.
Result<void> forbid_setuid(const std::string& root) {
  const auto top = TRY(open_file(AT_FDCWD, root, O_PATH | O_DIRECTORY));
  return mount::set_attributes(top, {MOUNT_ATTR_NOSUID, -1, false, true}, root);
}

// LXC drops groups wherever it has the capability to, and fails in a namespace of one id, where nobody may. Where this
// process still has groups, the launcher has left them to the guest.
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
  // LXC would take what stands behind a line feed for a line of its configuration.
  Result<void> set(const std::string& key, const std::string& value) {
    if (value.find_first_of("\r\n") != std::string::npos) return fail(text::printable(value) + ": more than one line");
    if (container_.set_config_item(&container_, key.c_str(), value.c_str())) return {};
    return fail("LXC does not take " + key + " = " + text::printable(value));
  }

 private:
  lxc_container& container_;
};

// What an init of a system looks for. Only who has a network of his own may mount /sys; with the host's, it is there.
std::string automatic_mounts(const ContainerRequest& request) {
  std::string mounts = "proc:mixed";
  // The /sys of the host has its groups.
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
  return configuration->set("lxc.net.0.flags", "up");  // of the loopback device, which is all that is there
}

Result<void> configure(const ContainerRequest& request, Configuration* configuration) {
  const std::pair<const char*, std::string> items[] = {
      {"lxc.log.file", scratch("log")},
      {"lxc.log.level", request.keeps_log ? "TRACE" : "ERROR"},
      {"lxc.rootfs.mount", scratch("root")},
      {"lxc.rootfs.path", "dir:" + request.root},
      {"lxc.uts.name", request.name},
      // /dev and all that is mounted below the root is there already.
      {"lxc.autodev", "0"},
      {"lxc.mount.auto", automatic_mounts(request)},
      {"lxc.console.path", "none"},
      {"lxc.tty.max", "0"},
      // Without a number LXC takes the devpts away that is there.
      {"lxc.pty.max", "1024"},
      // The namespaces confine; a profile could be put on by real root alone.
      {"lxc.apparmor.profile", "unconfined"},
  };
  for (const auto& [key, value] : items) TRY_VOID(configuration->set(key, value));
  for (const auto& file : key_files()) {
    TRY_VOID(configuration->set("lxc.mount.entry", "/dev/null " + file.substr(1) + " none bind"));
  }
  if (request.boots) {
    // An init leaves a /run that is mounted as it is, and so the socket there, to which it tells that it is ready.
    if (request.network == Network::host) {
      TRY_VOID(configuration->set("lxc.mount.entry", "/sys sys none rbind,ro,nosuid,nodev,noexec,create=dir"));
    }
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
  // Locks go there instead of into a home.
  const auto state = scratch("state");
  ::setenv("HOME", state.c_str(), 1);
  ::setenv("XDG_RUNTIME_DIR", state.c_str(), 1);
  // LXC listens on an abstract socket, which all of this namespace could reach.
  if (request->network != Network::host) {
    TRY(trace::check(::unshare(CLONE_NEWNET), "unshare", "network of LXC's monitor"));
    // LXC would not start a container whose settings it can't write, so they are tried in this network.
    if (auto groups = allow_ping()) request->ping_groups = std::move(*groups);
  }
  if (request->network == Network::bridge) request->network_holder = TRY(make_bridged_network(protocol::kBridgeFd));
  return {};
}

Result<Container> make_container(const ContainerRequest& request) {
  Container container(::lxc_container_new(request.name.c_str(), scratch("state").c_str()));
  if (!container) return fail("LXC makes no container");
  Configuration configuration(container.get());
  TRY_VOID(configure(request, &configuration));
  return container;
}

Error lxc_error(const std::string& what) { return Error(what + ": " + what_failed(scratch("log"))); }

}  // namespace isolate::lxc
