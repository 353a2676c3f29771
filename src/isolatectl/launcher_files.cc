#include "isolatectl/launcher_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/nearest.h"
#include "base/random.h"
#include "base/text.h"
#include "isolatectl/template_files.h"
#include "linux/file.h"
#include "request/store_path.h"

namespace isolate {
namespace {

constexpr const char* kIconsKey = "X-Isolate-Icons";
constexpr std::string_view kBegin = "isolate-";
constexpr std::string_view kEnd = ".desktop";

Result<void> check_launcher_name(const std::string& name) {
  constexpr std::size_t kLongest = 60;
  if (text::is_name(name, kLongest)) return {};
  return fail(
      fmt::format("'{}' can't be the name of a launcher: use 1 to {} letters, digits, '.', '_' or '-', and begin with "
                  "a letter or digit",
                  text::printable(name.substr(0, kLongest)), kLongest));
}

// Returns the folders of icons that the entry names, except those that isolatectl never writes to.
std::vector<std::string> folders_of(const DesktopEntry& entry) {
  std::vector<std::string> known = {kScalable};
  for (const auto size : icon_sizes()) known.push_back(icon_folder(size));
  auto folders = text::split(entry.value(kIconsKey), ';');
  std::erase_if(folders, [&known](const std::string& folder) {
    return std::find(known.begin(), known.end(), folder) == known.end();
  });
  return folders;
}

}  // namespace

Result<LauncherFiles> LauncherFiles::of(const Caller& caller) {
  auto directory = data_home(caller);
  if (directory.empty()) {
    return fail(
        "no place for launchers: HOME is not set, and the user database has no home directory for you; set HOME");
  }
  return LauncherFiles(std::move(directory), caller.uid);
}

std::string LauncherFiles::entry_path(const std::string& name) const {
  return fmt::format("{}/{}{}{}", applications(), kBegin, name, kEnd);
}

std::string LauncherFiles::icon_path(const std::string& name, const std::string& folder) const {
  return fmt::format("{}/{}/apps/{}{}", theme(), folder, icon_name(name), folder == kScalable ? ".svg" : ".png");
}

Result<std::map<std::string, DesktopEntry>> LauncherFiles::all() const {
  std::map<std::string, DesktopEntry> entries;
  auto files = list_directory(AT_FDCWD, applications());
  if (!files && files.error().code() == ENOENT) return entries;
  for (const auto& file : TRY(std::move(files))) {
    if (!file.starts_with(kBegin) || !file.ends_with(kEnd) || file.size() <= kBegin.size() + kEnd.size()) continue;
    const auto name = file.substr(kBegin.size(), file.size() - kBegin.size() - kEnd.size());
    // Skip files with such names that isolatectl did not make.
    if (auto entry = find(name); entry && *entry) entries.emplace(name, std::move(**entry));
  }
  return entries;
}

Result<std::optional<DesktopEntry>> LauncherFiles::find(const std::string& name) const {
  TRY_VOID(check_launcher_name(name));
  const auto path = entry_path(name);
  const auto not_ours = [&path] {
    return fail(Error(path + " was not made by isolatectl").advise("choose another name, or move that file away"));
  };
  const auto file = open_file(AT_FDCWD, path, O_PATH | O_NOFOLLOW);
  if (!file && file.error().code() == ENOENT) return std::optional<DesktopEntry>();
  if (!file) return fail(file.error());
  if (!S_ISREG(TRY(status_of(file->get(), "", AT_EMPTY_PATH)).st_mode)) return not_ours();
  const auto content = read_regular_file(file->get(), DesktopEntry::kMostBytes, path);
  if (!content && content.error().code() != EFBIG) return fail(content.error());
  auto entry = content ? DesktopEntry::parse(*content) : Result<DesktopEntry>(fail(content.error()));
  if (!entry || entry->value(kTemplateKey).empty()) return not_ours();
  return std::optional(std::move(*entry));
}

// Root with another user's HOME would follow links that this user can make, and make directories there.
Result<void> LauncherFiles::make_directory(const std::string& path) const {
  // The owner of "/" is root or, in a user namespace that does not map root, the overflow user.
  const auto host = TRY(status_of(AT_FDCWD, "/")).st_uid;
  const auto refuse = [](const std::string& what, const struct stat& status) {
    return fail(Error(fmt::format("{} belongs to {}", what, Caller{status.st_uid, status.st_gid}.name()))
                    .advise("make the launcher as the user who will start it"));
  };
  for (auto end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const auto prefix = path.substr(0, end);
    const auto there = status_of(AT_FDCWD, prefix, AT_SYMLINK_NOFOLLOW);
    if (!there) break;
    const bool is_trusted = there->st_uid == owner_ || there->st_uid == host;
    // A user may have directories of others above their own, but root trusts no other user.
    if (!is_trusted && (S_ISLNK(there->st_mode) || owner_ == 0)) return refuse(prefix, *there);
    if (end == std::string::npos) break;
  }
  TRY_VOID(make_directories(path, 0700));
  const auto status = TRY(status_of(AT_FDCWD, path));
  return status.st_uid == owner_ ? Result<void>() : refuse(path, status);
}

Result<void> LauncherFiles::write_icon(const std::string& name, const Icon& icon) const {
  const auto path = icon_path(name, icon.folder);
  for (const auto& directory : {theme(), path.substr(0, path.rfind('/'))}) TRY_VOID(make_directory(directory));
  const auto temporary = path + "." + random_name();
  auto written = replace_file(temporary, icon.content, 0644);
  // The launcher's earlier icons are gone by now, so another program made a file with this name.
  if (written) written = rename_file(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

void LauncherFiles::remove_icons(const std::string& name, const DesktopEntry& entry) const {
  for (const auto& folder : folders_of(entry)) {
    // If an icon can't be removed, it stays, which is harmless because no entry names it any more.
    ::unlink(icon_path(name, folder).c_str());
  }
}

Result<void> LauncherFiles::write(const std::string& name, DesktopEntry entry, const std::vector<Icon>& icons,
                                  std::vector<std::string>* warnings) const {
  const auto earlier = TRY(find(name));
  TRY_VOID(make_directory(applications()));
  std::vector<std::string> folders;
  for (const auto& icon : icons) {
    struct stat status {};
    const auto path = icon_path(name, icon.folder);
    const auto own = earlier ? folders_of(*earlier) : std::vector<std::string>();
    const bool is_own = std::find(own.begin(), own.end(), icon.folder) != own.end();
    if (!is_own && ::lstat(path.c_str(), &status) == 0) {
      warnings->push_back(path + " exists and was not made by isolatectl; the launcher gets no icon of this size");
    } else {
      folders.push_back(icon.folder);
    }
  }
  if (!folders.empty()) entry.set(kIconsKey, text::join(folders, ";") + ";");
  const auto content = entry.text();
  if (content.size() > DesktopEntry::kMostBytes) return fail(EFBIG, "write " + entry_path(name));
  // The entry always names at least the icons that exist, so that after a crash at any moment remove() finds them.
  if (earlier) remove_icons(name, *earlier);
  TRY_VOID(replace_file(entry_path(name), content, 0644));
  for (const auto& icon : icons) {
    if (std::find(folders.begin(), folders.end(), icon.folder) == folders.end()) continue;
    if (auto written = write_icon(name, icon); !written) warnings->push_back(written.error().message());
  }
  // Desktops notice new icons by the modification time of the theme's directory. If this fails, they notice them later.
  if (!folders.empty()) ::utimensat(AT_FDCWD, theme().c_str(), nullptr, 0);
  return {};
}

Result<void> LauncherFiles::remove(const std::string& name) const {
  const auto entry = TRY(find(name));
  if (!entry) {
    std::vector<std::string> names;
    for (const auto& [other, ignored] : TRY(all())) names.push_back(other);
    const auto nearest = text::nearest_word(name, names);
    return fail(fmt::format("there is no launcher '{}'{}{}{}", name,
                            names.empty() ? "" : "; there are: " + text::join(names, ", "),
                            nearest.empty() ? "" : "; nearest: ", nearest));
  }
  remove_icons(name, *entry);
  const auto path = entry_path(name);
  if (::unlink(path.c_str()) != 0) return fail(errno, "remove " + path);
  return {};
}

}  // namespace isolate
