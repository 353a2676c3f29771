// The part of RootBuilder that passes a finished root on to another mount namespace.
#include <fcntl.h>
#include <unistd.h>

#include "launch/root_builder.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "stage/layout.h"

namespace isolate {

Result<void> RootBuilder::hand_over(const std::string& door) {
  const auto place = TRY(open_file(AT_FDCWD, door, O_PATH | O_DIRECTORY));
  const auto copy = TRY(mount::copy_tree(root_.get(), "", true));
  return mount::attach(copy, place.get(), door);
}

// The kernel locks the mounts on the door to their places, and pivot_root(2) refuses locked mounts. So this mounts a
// copy on a stage of its own, as reopen() does.
Result<void> RootBuilder::take_over(const std::string& door) {
  const auto place = TRY(open_file(AT_FDCWD, plan_.stage, O_PATH | O_DIRECTORY));
  const auto tmpfs = TRY(mount::make("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  TRY_VOID(make_directory(tmpfs.get(), stage::kRoot, 0755));
  TRY_VOID(mount::attach(tmpfs, place.get(), plan_.stage));
  const auto copy = TRY(mount::copy_tree(AT_FDCWD, door, true));
  const auto target = TRY(open_file(tmpfs.get(), stage::kRoot, O_PATH | O_DIRECTORY));
  TRY_VOID(mount::attach(copy, target.get(), "root"));
  TRY_VOID(find_root());
  if (::fchdir(stage_.get()) != 0) return fail(errno, "chdir " + plan_.stage);
  return {};
}

}  // namespace isolate
