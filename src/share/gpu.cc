// Graphics devices (--gpu): the nodes that the caller may open, what drivers read about them in /sys, and the libraries
// that a CDI file names.
#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "base/text.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
#include "share/cdi.h"
#include "share/share.h"
#include "share/soname.h"

namespace isolate {
namespace {

// RootMount::mode holds a file type, as st_mode does: a device, a file or directory that is read-only, or a symbolic
// link that isolate makes, whose text is RootMount::source.
constexpr const char* kSysfs = "/sys/";

std::string parent_of(const std::string& path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string read_link(const std::string& path) {
  char text[PATH_MAX];
  const auto length = ::readlink(path.c_str(), text, sizeof text);
  return length < 0 ? "" : std::string(text, static_cast<std::size_t>(length));
}

bool is_node_name(const std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return false;
  return name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
}

// The devices of the host's graphics cards. A CDI file may name those of NVIDIA again.
std::vector<std::string> nodes_of_host() {
  std::vector<std::string> paths;
  for (const auto& name : list_directory(AT_FDCWD, "/dev/dri").value_or(std::vector<std::string>())) {
    if (is_node_name(name, "card") || is_node_name(name, "renderD")) paths.push_back("/dev/dri/" + name);
  }
  for (const auto& name : list_directory(AT_FDCWD, "/dev").value_or(std::vector<std::string>())) {
    const bool is_part = name == "nvidiactl" || name == "nvidia-modeset" || name.starts_with("nvidia-uvm");
    if (is_part || is_node_name(name, "nvidia")) paths.push_back("/dev/" + name);
  }
  for (const auto& name : list_directory(AT_FDCWD, "/dev/nvidia-caps").value_or(std::vector<std::string>())) {
    paths.push_back("/dev/nvidia-caps/" + name);
  }
  return paths;
}

RootMount mount_of(const std::string& source, const std::string& target, mode_t type) {
  RootMount mount;
  mount.source = source;
  mount.target = target;
  mount.mode = type;
  mount.read_only = type != S_IFCHR && type != S_IFLNK;
  mount.keeps_groups = type == S_IFCHR;
  return mount;
}

class Plan {
 public:
  explicit Plan(const RunRequest& request) : request_(request) {}

  Result<SharePlan> make() {
    auto cdi = TRY(read_cdi());
    for (const auto& path : nodes_of_host()) add_node(path, path);
    for (const auto& device : cdi.devices) add_node(device.source, device.target);
    TRY_VOID(check_nodes());
    // With the engine chroot the guest has the host's /sys.
    if (request_.engine != EngineKind::chroot) add_sysfs();
    add_files(cdi);
    if (has_nvidia_ && cdi.files.empty()) {
      plan_.warnings.emplace_back(
          "--gpu: no file in /etc/cdi names NVIDIA's libraries, so the guest has only those of its root; make the "
          "file: "
          "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml");
    }
    return std::move(plan_);
  }

 private:
  void add_node(const std::string& source, const std::string& target) {
    struct stat status {};
    if (::stat(source.c_str(), &status) != 0 || !S_ISCHR(status.st_mode) || !seen_.insert(target).second) return;
    if (::access(source.c_str(), R_OK | W_OK) != 0) {
      if (closed_.empty()) closed_ = source;
      return;
    }
    has_nvidia_ |= source.starts_with("/dev/nvidia");
    devices_.push_back(status.st_rdev);
    plan_.mounts.push_back(mount_of(source, target, S_IFCHR));
  }

  Result<void> check_nodes() const {
    if (!devices_.empty()) return {};
    if (closed_.empty()) return fail("this machine has no graphics device in /dev/dri");
    return fail(
        fmt::format("you may not open {}; log in on the machine's own screen, or have root add you to the "
                    "groups video and render",
                    closed_));
  }

  // Adds what libdrm reads (drmGetDevices2(), drmGetNodeTypeFromFd()): a link from the number of each node to the
  // directory of its device, which holds the device's ids and its nodes. Other programs look into /sys/class/drm.
  void add_sysfs() {
    std::set<std::string> done;
    for (const auto number : devices_) {
      const auto by_number = fmt::format("/sys/dev/char/{}:{}", major(number), minor(number));
      const auto node = real_path(by_number).value_or("");
      const auto device = real_path(by_number + "/device").value_or("");
      if (!device.starts_with(kSysfs) || !node.starts_with(device + "/")) continue;
      if (done.insert(device).second) plan_.mounts.push_back(mount_of(device, device, S_IFDIR));
      for (const auto& link : {by_number, "/sys/class/drm/" + name_of(node)}) {
        if (const auto text = read_link(link); !text.empty()) plan_.mounts.push_back(mount_of(text, link, S_IFLNK));
      }
    }
  }

  void add_files(CdiEdits& cdi) {
    for (const auto& file : cdi.files) {
      struct stat status {};
      // The CDI file may be older than the driver. Go on, because most programs work without one of the libraries.
      if (::stat(file.source.c_str(), &status) != 0 || ::access(file.source.c_str(), R_OK) != 0) {
        plan_.warnings.push_back(
            fmt::format("--gpu: a CDI file names {}, which can't be read; generate the CDI file again",
                        text::printable(file.source)));
        continue;
      }
      plan_.mounts.push_back(mount_of(file.source, file.target, S_ISDIR(status.st_mode) ? S_IFDIR : S_IFREG));
      add_soname(file);
    }
    for (const auto& link : cdi.links) plan_.mounts.push_back(mount_of(link.source, link.target, S_IFLNK));
    if (!cdi.library_folders.empty()) {
      plan_.environment.push_back("LD_LIBRARY_PATH=" + text::join(cdi.library_folders, ":"));
    }
    plan_.environment.insert(plan_.environment.end(), cdi.environment.begin(), cdi.environment.end());
    for (const auto& hook : cdi.unknown_hooks) {
      plan_.warnings.push_back(fmt::format(
          "--gpu: isolate does not know the hook '{}' of a CDI file, and goes on without it", text::printable(hook)));
    }
    if (!request_.directory.empty() && !cdi.files.empty()) {
      plan_.warnings.push_back(
          "--gpu: with -t isolate makes no links to NVIDIA's libraries in the directory; programs may not find them");
    }
  }

  // ldconfig(8) makes these links on a host.
  void add_soname(const CdiEdits::File& file) {
    const auto name = soname_of(file.source);
    if (name.empty() || name == name_of(file.target)) return;
    plan_.mounts.push_back(mount_of(name_of(file.target), parent_of(file.target) + "/" + name, S_IFLNK));
  }

  const RunRequest& request_;
  SharePlan plan_;
  std::set<std::string> seen_;
  std::vector<dev_t> devices_;
  std::string closed_;  // a node that the caller may not open
  bool has_nvidia_ = false;
};

Result<SharePlan> look_up(const RunRequest& request, const Caller& /*caller*/,
                          const std::vector<std::string>& /*wishes*/) {
  return Plan(request).make();
}

Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) {
  const bool is_shown_as_it_is = mount.source.starts_with(kSysfs);
  return mount.mode == S_IFLNK || is_shown_as_it_is ? Result<void>() : root->open_bind(mount, number);
}

// A link never replaces a file of the root. In a directory that a run works on, isolate makes no links.
Result<void> make_link(RootInProgress* root, const RootMount& mount) {
  const auto parent = TRY(root_path::directory(root->root(), parent_of(mount.target), true));
  if (::symlinkat(mount.source.c_str(), parent.get(), name_of(mount.target).c_str()) == 0 || errno == EEXIST) return {};
  return fail(errno, "symlink " + text::printable(mount.target));
}

// The guest's /sys is in memory at this point, and becomes read-only at the end. A run on a directory without a /sys
// does not get one.
Result<void> add_to_sys(RootInProgress* root, const RootMount& mount) {
  if (!root->ordinary_directory("/sys", false)) return {};
  if (mount.mode == S_IFLNK) return make_link(root, mount);
  const auto tree = TRY(mount::copy_tree(AT_FDCWD, mount.source, true));
  constexpr std::uint64_t kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
  TRY_VOID(mount::set_attributes(tree, {kAttributes, -1, true, true}, mount.source));
  return mount::attach(tree, TRY(root_path::directory(root->root(), mount.target, true)).get(), mount.target);
}

Result<void> attach(RootInProgress* root, const RootMount& mount, std::size_t number) {
  if (mount.target.starts_with(kSysfs)) return add_to_sys(root, mount);
  if (mount.mode != S_IFLNK) return root->attach_tree(TRY(root->opened(number)), mount.target, mount.mode == S_IFDIR);
  return root->traits().is_template && root->may_create_targets() ? make_link(root, mount) : Result<void>();
}

std::string describe_gpu(const RootMount& mount) {
  if (mount.mode != S_IFLNK) return describe_bind(mount);
  return fmt::format("link {} to {}", text::printable(mount.target), text::printable(mount.source));
}

constexpr ShareOption kOption = {0,      "gpu", nullptr, false, false, "use the graphics devices that you may open",
                                 nullptr};

}  // namespace

const Share kGpu = {.name = "gpu",
                    .describe = describe_gpu,
                    .open = open,
                    .mount = attach,
                    .option = &kOption,
                    .needs_tmp = false,
                    .look_up = look_up};

}  // namespace isolate
