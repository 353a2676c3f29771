// CDI, the Container Device Interface: files in which a driver describes what a container needs for its devices
// (https://github.com/cncf-tags/container-device-interface, SPEC.md). isolate reads those of graphics devices.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

// The changes to a guest that a file asks for. Paths in the guest are absolute and contain no "..".
struct CdiEdits {
  struct File {
    std::string source;  // on the host
    std::string target;  // in the guest
    bool operator==(const File&) const = default;
  };
  std::vector<File> devices;
  std::vector<File> files;                   // files and directories to bind read-only
  std::vector<File> links;                   // symbolic links: `target` leads to `source`
  std::vector<std::string> library_folders;  // of the guest, in which its dynamic linker has to look
  std::vector<std::string> environment;      // NAME=VALUE
  std::vector<std::string> unknown_hooks;    // their names; isolate executes no hook
};

// Reads the text of a file, YAML or JSON. Takes the device "all" if there is one, otherwise every device. Returns
// nothing if the file is not about graphics devices: its kind is not VENDOR/gpu. Errors: plain text: it is malformed.
Result<std::optional<CdiEdits>> parse_cdi(std::string_view text);

// Reads all files in these directories, by default those of the specification, and merges their edits. Errors name the
// file.
Result<CdiEdits> read_cdi(const std::vector<std::string>& directories = {"/etc/cdi", "/var/run/cdi"});

}  // namespace isolate
