#include "limits/lease_group.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/xattr.h>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "limits/cgroup.h"
#include "limits/limit_group.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr std::string_view kPrefix = "lease-";
constexpr const char* kTreeFile = "/run/isolate/control-group";
constexpr const char* kLockFile = "/run/isolate/control-group.lock";
constexpr const char* kKeeper = "/keeper";
// Value "UID PATH"; control groups have user.* attributes since Linux 5.7.
constexpr const char* kHolder = "user.isolate.lease";

bool has_ended(const std::string& group, Ended which) {
  auto directory = open_file(AT_FDCWD, group, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory || !FileLock::try_lock(std::move(*directory), FileLock::Mode::exclusive)) return false;
  const auto holder = lease_of_group(group);
  if (!holder) return true;
  return which == Ended::runs_and_leases && !is_lease_held(*holder);
}

Result<void> become_tree(const std::string& tree) {
  const auto keeper = tree + kKeeper;
  if (auto made = make_directory(AT_FDCWD, keeper, 0755); !made && made.error().code() != EEXIST) return made;
  TRY_VOID(move_to_control_group(keeper, "0"));
  return enable_controllers(tree, TRY(available_controllers(tree, limiting_controllers())));
}

}  // namespace

std::string lease_group(const std::string& parent, const std::string& lease) {
  return parent + "/" + lease_group_name(lease);
}

std::string lease_group_name(const std::string& lease) { return std::string(kPrefix) + lease; }

std::optional<std::string> group_tree() {
  auto path = read_file(kTreeFile);
  if (!path) return std::nullopt;
  path->resize(path->find_last_not_of('\n') + 1);
  if (path->empty() || !status_of(AT_FDCWD, *path + kKeeper)) return std::nullopt;
  return std::move(*path);
}

std::string no_group_tree() {
  const auto group = own_limiting_group();
  if (!group) return group.error().message();
  return "no process keeps the control group tree of leases; as root: systemctl start isolate-leases.service";
}

Result<std::string> make_group_tree() {
  auto tree = TRY(own_limiting_group());
  if (auto outcome = become_tree(tree); !outcome) {
    // If moving back fails too, moving to the keeper's group had failed, and there is nothing to undo.
    auto ignored = move_to_control_group(tree, "0");
    remove_control_group(tree + kKeeper);
    return fail(std::move(outcome).error().within("control groups of leases"));
  }
  TRY_VOID(make_directories("/run/isolate", 0755));
  TRY_VOID(replace_file(kTreeFile, tree + "\n", 0644));
  return tree;
}

Result<void> set_lease_of_group(const std::string& group, const LeaseHolder& holder) {
  const auto value = std::to_string(holder.uid) + " " + holder.state_file;
  if (::setxattr(group.c_str(), kHolder, value.data(), value.size(), 0) == 0) return {};
  return fail(errno, "setxattr " + group);
}

Result<LeaseHolder> lease_of_group(const std::string& group) {
  std::vector<char> value(PATH_MAX + 16);
  const auto size = ::getxattr(group.c_str(), kHolder, value.data(), value.size());
  if (size < 0) return fail(errno, "getxattr " + group);
  const std::string_view text(value.data(), static_cast<std::size_t>(size));
  const auto space = text.find(' ');
  const auto uid = TRY(text::number(text.substr(0, space), "uid of " + group, 0, UINT32_MAX));
  if (space == std::string_view::npos)
    return fail("the attribute " + std::string(kHolder) + " of control group " + group + " names no lease");
  return LeaseHolder{static_cast<uid_t>(uid), std::string(text.substr(space + 1))};
}

bool is_lease_held(const LeaseHolder& holder) {
  // Opens for writing, so as not to wake the daemon: it watches for the close of files that were opened for reading
  // (inotify(7), IN_CLOSE_NOWRITE).
  auto file = open_file(AT_FDCWD, holder.state_file, O_RDWR | O_NOFOLLOW);
  if (!file) return file.error().code() != ENOENT;
  return FileLock::is_held_by_others(*file);
}

Result<FileLock> lock_groups() {
  TRY_VOID(make_directories("/run/isolate", 0755));
  return FileLock::wait(TRY(open_file(AT_FDCWD, kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)),
                        FileLock::Mode::exclusive);
}

void remove_ended_groups(const std::string& parent, Ended which) {
  constexpr std::chrono::milliseconds kPatience{500};
  const auto names = list_directory(AT_FDCWD, parent);
  if (!names) return;  // no directory, so no groups to remove
  std::vector<std::string> ended;
  for (const auto& name : *names) {
    auto group = parent + "/" + name;
    if (name.starts_with(kPrefix) && has_ended(group, which)) ended.push_back(std::move(group));
  }
  kill_and_remove_groups(ended, kPatience);
}

}  // namespace isolate
