#include "isolatectl/template_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "linux/directory_stream.h"
#include "linux/file.h"
#include "linux/mount.h"
#include "linux/reporting_child.h"
#include "linux/root_path.h"

namespace isolate {
namespace {

// Runs in a child, in a mount namespace that ends with the child. All layers of a template are in one directory.
Result<std::vector<Fd>> mount_layers(const std::vector<std::string>& layers, int user_namespace) {
  if (user_namespace >= 0) TRY_VOID(become_root_in(user_namespace));
  TRY_VOID(mount::new_namespace());
  const auto directory = layers.front().substr(0, layers.front().rfind('/'));
  if (::chdir(directory.c_str()) != 0) return fail(errno, "chdir " + directory);
  // Names relative to the directory are short and contain no characters that an option of mount(2) would have to
  // escape.
  mount::Overlay overlay;
  for (const auto& layer : layers) overlay.lower.push_back(layer.substr(directory.size() + 1));
  const auto& place = overlay.lower.front();
  TRY_VOID(mount::mount_overlay(overlay, place));
  std::vector<Fd> mounted;
  mounted.push_back(TRY(mount::copy_tree(AT_FDCWD, place, false)));
  return mounted;
}

}  // namespace

Result<TemplateFiles> TemplateFiles::open(const TemplatePlace& place, OwnerNamespace* owner) {
  const auto root = TRY(place.store->generation_root(TRY(place.store->newest_generation(place.name))));
  if (root.file_system) return TemplateFiles(TRY(open_root(root, false)));
  if (root.lower.size() > 1) {
    const int user_namespace = TRY(owner->descriptor());
    auto mounted = TRY(descriptors_from_child([&] { return mount_layers(root.lower, user_namespace); }));
    return TemplateFiles(std::move(mounted.front()));
  }
  // The kernel mounts no overlay of a single layer without a writable directory, and needs none.
  const auto& directory = root.lower.empty() ? root.directory : root.lower.front();
  return TemplateFiles(TRY(open_file(AT_FDCWD, directory, O_PATH | O_DIRECTORY)));
}

Result<std::string> TemplateFiles::read(const std::string& path, std::size_t most) const {
  const auto file = TRY(root_path::open(root_.get(), path, O_PATH));
  return read_regular_file(file.get(), most, text::printable(path));
}

bool TemplateFiles::has_program(const std::string& path) const {
  const auto file = root_path::open(root_.get(), path, O_PATH);
  if (!file) return false;
  const auto status = status_of(file->get(), "", AT_EMPTY_PATH);
  return status && S_ISREG(status->st_mode) && (status->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
}

Result<std::vector<std::string>> TemplateFiles::names(const std::string& path, std::size_t most) const {
  auto directory = TRY(root_path::open(root_.get(), path, O_RDONLY | O_DIRECTORY | O_NONBLOCK));
  auto stream = TRY(DirectoryStream::of(std::move(directory), path));
  std::vector<std::string> names;
  while (const dirent* entry = names.size() < most ? stream.next() : nullptr) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace isolate
