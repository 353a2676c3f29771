#include "store/root_source.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "linux/file.h"

namespace isolate {

std::string name_of_root(const RootSource& root) {
  if (!root.file_system) return root.directory;
  for (const auto& option : root.file_system->options) {
    if (std::string_view(option.key) == "source") return option.value;
  }
  return root.file_system->type;
}

Result<Fd> open_root(const RootSource& root, bool recursive) {
  if (!root.file_system) return mount::copy_tree(AT_FDCWD, root.directory, recursive);
  const auto& file_system = *root.file_system;
  auto mounted = mount::make(file_system.type.c_str(), file_system.options, file_system.attributes);
  if (!mounted && mounted.error().code() == EACCES && file_system.type == "zfs") {
    return fail(Error(EACCES, "mount " + name_of_root(root))
                    .advise("if it is encrypted, load its key: zfs load-key " + name_of_root(root)));
  }
  if (!mounted) return fail(std::move(mounted).error().within(name_of_root(root)));
  return mounted;
}

Result<struct stat> status_of_root(const RootSource& root) {
  if (!root.lower.empty()) return status_of(AT_FDCWD, root.lower.front());
  if (!root.file_system) return status_of(AT_FDCWD, root.directory);
  return status_of(TRY(open_root(root, false)).get(), "", AT_EMPTY_PATH);
}

Result<uid_t> owner_of_root(const RootSource& root, Fd* opened) {
  const auto look = [&]() -> Result<struct stat> {
    if (!root.file_system) return status_of_root(root);
    if (!*opened) *opened = TRY(open_root(root, false));
    return status_of(opened->get(), "", AT_EMPTY_PATH);
  };
  const auto status = look();
  const auto what = "template directory " + (root.lower.empty() ? name_of_root(root) : root.lower.front());
  if (!status) return fail(status.error().code(), what);
  if (!S_ISDIR(status->st_mode)) return fail(ENOTDIR, what);
  return status->st_uid;
}

std::string unmapped_warning(const std::string& path, bool is_root) {
  const auto begin = fmt::format("the file system of {} can't map ids: ", path);
  if (!is_root) return begin + "its files belong to nobody inside";
  return begin +
         "the root is read-only, and its files belong to nobody inside; for a root that can be written give the "
         "template to a range of 65536 ids (chown), and name that with -u and -g";
}

}  // namespace isolate
