#include "linux/supplementary_groups.h"

#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>

#include "linux/fork_to_execute.h"

namespace isolate {
namespace {

// Returns the modes among R_OK, W_OK and X_OK that the kernel grants.
int access_to(const std::string& path) {
  int granted = 0;
  for (const int mode : {R_OK, W_OK, X_OK}) {
    if (::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0) granted |= mode;
  }
  return granted;
}

constexpr std::size_t kMostAtATime = 254;  // the exit status of the child is an index of at most one byte

}  // namespace

bool has_supplementary_groups() {
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
  if (count <= 0 || ::getgroups(count, groups.data()) < 0) return false;
  const gid_t primary = ::getegid();
  return std::any_of(groups.begin(), groups.end(), [primary](gid_t group) { return group != primary; });
}

Result<std::optional<std::size_t>> first_path_needing_groups(const std::vector<std::string>& paths) {
  std::vector<int> with_groups;
  for (const auto& path : paths) with_groups.push_back(access_to(path));
  for (std::size_t begin = 0; begin < paths.size(); begin += kMostAtATime) {
    const auto end = std::min(paths.size(), begin + kMostAtATime);
    auto child = TRY(fork_to_execute(
        [&] {
          if (::setgroups(0, nullptr) != 0) return 0;
          auto i = begin;
          while (i < end && access_to(paths[i]) == with_groups[i]) ++i;
          return i == end ? 0 : static_cast<int>(i - begin) + 1;
        },
        0));
    const auto found = TRY(child.wait());
    if (!found.signalled && found.value > 0) return begin + static_cast<std::size_t>(found.value) - 1;
  }
  return std::nullopt;
}

}  // namespace isolate
