// Reads how a template describes one of its programs: the program's .desktop file, and its icons. The template may be
// hostile, so isolatectl takes only values that it has checked, and never a command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isolatectl/desktop_entry.h"
#include "isolatectl/icon.h"
#include "isolatectl/template_files.h"

namespace isolate {

// Finds in /usr/share/applications the entry that starts `command`: the base names of the programs are the same. An
// entry with the same arguments is preferred, and then one that menus show. Returns nothing if no entry starts it.
std::optional<DesktopEntry> find_program_entry(const TemplateFiles& files, const std::vector<std::string>& command);

// Copies the keys that describe the program and start nothing: Name, GenericName, Comment and Keywords in all
// languages, Categories, StartupWMClass, Terminal. Leaves out a value that is malformed, too long or not a plain line.
void copy_description(const DesktopEntry& from, DesktopEntry* to);

struct FoundIcons {
  std::vector<Icon> icons;  // at most one for each folder
  std::string problem;      // why an image was left out; empty if none was
};
// Reads the icons with the name or path that an entry's key Icon gives.
FoundIcons find_icons(const TemplateFiles& files, const std::string& icon);

}  // namespace isolate
