// The caller's name and ids, and a home directory of the guest's own (--home). The home is a directory of the clone, or
// in memory if the root's files must not change, or a directory of the host that the caller names.
#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/root_path.h"
#include "share/guest_files.h"
#include "share/guest_user.h"
#include "share/share.h"

namespace isolate {
namespace {

constexpr const char* kHomes = "/home";
constexpr const char* kInMemory = "tmpfs";  // RootMount::source of a home in memory
constexpr const char* kPasswd = "/etc/passwd";
constexpr const char* kGroup = "/etc/group";
constexpr mode_t kMode = 0700;

bool is_own_directory(const RootMount& mount) { return mount.source.starts_with('/'); }

// Resolves the links in the path of a directory, whose last part may be missing. Expands "~/" at the beginning, because
// a shell does not expand it in --home=~/DIR.
Result<std::string> find_directory(const std::string& given, const Caller& caller) {
  auto path = given.starts_with("~/") ? caller.home() + given.substr(1) : given;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  auto there = real_path(path);
  // Do not make a directory in place of a link that leads nowhere.
  if (there || there.error().code() != ENOENT || status_of(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW)) return there;
  const auto slash = path.rfind('/');
  const auto parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const auto name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  const auto above = real_path(parent);
  if (!above) return fail(fmt::format("{}: the directory above it is missing; make that first", text::printable(path)));
  if (::access(above->c_str(), W_OK | X_OK) != 0) return fail(errno, "make " + text::printable(path));
  return (*above == "/" ? "" : *above) + "/" + name;
}

bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Whether the directory is the one at `path`, or one above it. The path has no links.
bool is_or_is_above(const struct stat& directory, const std::string& path) {
  const auto status = status_of(AT_FDCWD, path);
  if (status && is_same_file(*status, directory)) return true;
  return path != "/" && is_or_is_above(directory, path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
}

// A guest that got the caller's own home by mistake, or a directory above it, could read and change all of the caller's
// files. The check compares inodes instead of paths, because a bind mount shows the home under another path.
Result<void> check_is_not_the_callers(const struct stat& status, const std::string& directory, const Caller& caller) {
  const auto entry = user_entry(caller.uid);
  for (const auto& name : {std::string("/"), caller.home(), entry ? entry->home : std::string()}) {
    const auto home = real_path(name);
    if (!home || !is_or_is_above(status, *home)) continue;
    return fail(
        fmt::format("{} is or contains your own home, which the guest must not get; name another directory, or bind "
                    "single files with -d",
                    text::printable(directory)));
  }
  return {};
}

Result<void> check_directory(const struct stat& status, const std::string& directory, const Caller& caller) {
  TRY_VOID(check_is_not_the_callers(status, directory, caller));
  const auto shown = text::printable(directory);
  if (!S_ISDIR(status.st_mode)) return fail(shown + " is not a directory");
  if (status.st_uid != caller.uid) {
    return fail(fmt::format("{} belongs to user {}; name a directory of your own", shown, status.st_uid));
  }
  if ((status.st_mode & S_IWOTH) != 0) {
    return fail(fmt::format("{} can be written by everybody; name a directory of your own, or run: chmod 700 {}", shown,
                            shown));
  }
  return {};
}

Result<std::string> look_up_directory(const std::string& given, const RunRequest& request, const Caller& caller) {
  if (!caller.is_root() && (request.userns == UsernsMode::private_range || request.uid_base || request.gid_base)) {
    return fail(
        "with --userns=private, -u or -g the guest has no id of yours and can't use your directory; leave DIR out");
  }
  auto directory = TRY(find_directory(given, caller));
  const auto status = status_of(AT_FDCWD, directory, AT_SYMLINK_NOFOLLOW);
  if (status) TRY_VOID(check_directory(*status, directory, caller));
  return directory;
}

Result<RootMount> plan_home(const GuestUser& user, const RunRequest& request, const std::string& directory) {
  RootMount mount;
  mount.target = user.home;
  mount.mode = kMode;
  if (!directory.empty()) {
    mount.source = directory;
    return mount;
  }
  if (request.directory.empty() && !request.read_only) return mount;
  mount.source = kInMemory;
  // With -t isolate must not make a directory in the root's /home. So all of /home is in memory.
  if (user.uid != 0 && !request.directory.empty()) mount.target = kHomes;
  if (request.directory.empty()) return mount;
  const auto there = status_of(AT_FDCWD, request.directory + mount.target, AT_SYMLINK_NOFOLLOW);
  if (there && S_ISDIR(there->st_mode)) return mount;
  return fail(fmt::format("{} has no directory {} on which the home could be mounted; make it", request.directory,
                          mount.target));
}

Result<SharePlan> look_up(const RunRequest& request, const Caller& caller, const std::vector<std::string>& wishes) {
  if (!caller.is_root() && request.added_capabilities.mask() != 0) {
    return fail("the command is not root in the guest and has no capabilities; leave --cap-add or --home out");
  }
  SharePlan plan;
  plan.user = TRY(guest_user(caller));
  const auto& user = *plan.user;
  std::string directory;
  if (!wishes.back().empty()) directory = TRY(look_up_directory(wishes.back(), request, caller));
  plan.mounts.push_back(TRY(plan_home(user, request, directory)));
  if (user.uid != 0) {
    for (const char* file : {kPasswd, kGroup}) {
      RootMount mount;
      mount.target = file;
      mount.read_only = request.keep || !request.directory.empty();
      plan.mounts.push_back(std::move(mount));
    }
  }
  plan.environment = {"HOME=" + user.home, "USER=" + user.name, "LOGNAME=" + user.name};
  return plan;
}

// Makes the mounts of one run.
class Home : public Held {
 public:
  explicit Home(GuestUser user) : user_(std::move(user)) {}

  // Makes the caller's directory if it is missing, and remembers its inode. The path may have been changed since it was
  // looked up, so this checks the directory again.
  Result<void> find(const RootMount& mount, const Caller& caller) {
    const auto made = ::mkdir(mount.source.c_str(), kMode) == 0;
    if (!made && errno != EEXIST) return fail(errno, "make " + text::printable(mount.source));
    directory_ = TRY(status_of(AT_FDCWD, mount.source, AT_SYMLINK_NOFOLLOW));
    return check_directory(*directory_, mount.source, caller);
  }

  Result<void> open(RootInProgress* root, const RootMount& mount, std::size_t number) override {
    if (!is_own_directory(mount)) return {};
    auto bind = mount;
    bind.kind = MountKind::bind;  // so that its files have the guest's ids, as those of other binds do
    return root->open_bind(bind, number);
  }

  Result<void> mount(RootInProgress* root, const RootMount& mount, std::size_t number) override {
    if (mount.target == kPasswd || mount.target == kGroup) return cover(root, mount);
    if (is_own_directory(mount)) return attach(root, mount, number);
    return mount.source == kInMemory ? make_in_memory(root, mount) : make_in_clone(root, mount);
  }

 private:
  Result<void> cover(RootInProgress* root, const RootMount& mount) const {
    const auto name = mount.target.substr(sizeof "/etc");
    const auto of_root = TRY(text_of_root(*root, mount.target));
    // With -t isolate makes no file in the root that the user did not ask for.
    if (!of_root || (of_root->empty() && !root->traits().is_template)) return {};
    const auto is_group = mount.target == kGroup;
    const auto of_host = is_group ? read_file(kGroup).value_or("") : "";
    return cover_with_text(root, name, is_group ? group_text(*of_root, of_host, user_) : passwd_text(*of_root, user_),
                           mount.read_only);
  }

  // Another directory may have replaced it since find().
  Result<void> attach(RootInProgress* root, const RootMount& mount, std::size_t number) const {
    const auto tree = TRY(root->opened(number));
    const auto status = TRY(status_of(tree.get(), "", AT_EMPTY_PATH));
    if (!directory_ || !is_same_file(status, *directory_)) {
      return fail(text::printable(mount.source) + " was replaced during the start; try again");
    }
    return root->attach_tree(tree, mount.target, true);
  }

  Result<void> make_in_memory(RootInProgress* root, const RootMount& mount) const {
    const auto is_home = mount.target == user_.home;
    const auto tree = TRY(root->scratch("home", is_home ? kMode : 0755, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    TRY_VOID(root->attach_tree(tree, mount.target, true));
    if (!is_home) TRY(directory_below(*root, tree, user_.name.c_str(), kMode));
    return {};
  }

  // If the template has a directory of that name, its owner changes in the clone.
  Result<void> make_in_clone(RootInProgress* root, const RootMount& mount) const {
    if (user_.uid == 0) return {};  // the root has /root already
    TRY(root_path::directory(root->root(), kHomes, true));
    const auto home = TRY(root_path::directory(root->root(), mount.target, true, kMode));
    const auto opened = TRY(open_file(home.get(), ".", O_RDONLY | O_DIRECTORY));
    const uid_t owner = root->traits().root_is_id_one ? 1 : 0;
    if (::fchown(opened.get(), owner, owner) != 0 || ::fchmod(opened.get(), kMode) != 0) {
      return fail(errno, "chown " + mount.target);
    }
    return {};
  }

  GuestUser user_;
  std::optional<struct stat> directory_;
};

Result<std::unique_ptr<Held>> start(const RootMount& mount, const ShareContext& context) {
  auto home = std::make_unique<Home>(TRY(guest_user(context.caller)));
  if (is_own_directory(mount)) TRY_VOID(home->find(mount, context.caller));
  return home;
}

std::string describe_home(const RootMount& mount) {
  if (mount.target == kPasswd || mount.target == kGroup) {
    return fmt::format("mount {} with the caller's line{}", mount.target, mount.read_only ? ", read-only" : "");
  }
  if (is_own_directory(mount)) return describe_bind(mount);
  return fmt::format("home in {} of its own, {}", mount.target,
                     mount.source == kInMemory ? "in memory" : "in the clone");
}

constexpr ShareOption kOption = {
    0, "home", "DIR", false, false, "run under your name, with its own home, or DIR as its home", nullptr};

}  // namespace

const Share kHome = {.name = "home",
                     .describe = describe_home,
                     .option = &kOption,
                     .needs_tmp = false,
                     .look_up = look_up,
                     .start = start};

}  // namespace isolate
