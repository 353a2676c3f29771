// LauncherFiles: the launchers in the caller's data directory, $XDG_DATA_HOME or ~/.local/share. The entry of launcher
// NAME is applications/isolate-NAME.desktop. Its key X-Isolate-Template marks it as isolatectl's own, and its key
// X-Isolate-Icons lists the folders below icons/hicolor that hold an icon of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isolatectl/desktop_entry.h"
#include "isolatectl/icon.h"
#include "linux/caller.h"

namespace isolate {

class LauncherFiles {
 public:
  static constexpr const char* kTemplateKey = "X-Isolate-Template";

  // Errors: the caller has no home directory.
  static Result<LauncherFiles> of(const Caller& caller);
  explicit LauncherFiles(std::string data_directory, std::uint32_t owner)
      : directory_(std::move(data_directory)), owner_(owner) {}

  std::string entry_path(const std::string& name) const;
  // The name of the launcher's icons, for the key Icon.
  static std::string icon_name(const std::string& name) { return "isolate-" + name; }

  // Returns the entries of all launchers by name.
  Result<std::map<std::string, DesktopEntry>> all() const;
  // Returns nothing if there is no such file. Errors: `name` can't be a launcher's name; isolatectl did not make the
  // file.
  Result<std::optional<DesktopEntry>> find(const std::string& name) const;
  // Writes the launcher, or replaces it atomically, and notes the icons in the entry. Removes icons that it had before.
  // Leaves out an icon whose file exists and is not the launcher's, or that can't be written, and adds the reason to
  // `warnings`. Errors: as above; the directory belongs to another user.
  Result<void> write(const std::string& name, DesktopEntry entry, const std::vector<Icon>& icons,
                     std::vector<std::string>* warnings) const;
  // Removes the entry and its icons, and nothing else. Errors: as above; there is no such launcher.
  Result<void> remove(const std::string& name) const;

 private:
  std::string applications() const { return directory_ + "/applications"; }
  std::string theme() const { return directory_ + "/icons/hicolor"; }
  std::string icon_path(const std::string& name, const std::string& folder) const;
  Result<void> make_directory(const std::string& path) const;
  Result<void> write_icon(const std::string& name, const Icon& icon) const;
  void remove_icons(const std::string& name, const DesktopEntry& entry) const;

  std::string directory_;
  std::uint32_t owner_;
};

}  // namespace isolate
