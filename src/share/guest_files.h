// Files and sockets that shares put into a guest's own /tmp. It is in memory, so nothing of them remains after the run,
// and nothing of the root is touched.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "share/share.h"

namespace isolate {

// The guest's XDG_RUNTIME_DIR, which holds the sockets and cookies. Only the guest's root may enter it.
constexpr const char* kRuntimeDirectory = "/tmp/.runtime";
constexpr const char* kRuntimeVariable = "XDG_RUNTIME_DIR=/tmp/.runtime";

// Each opens a directory, and makes it when it is missing.
Result<Fd> runtime_directory(const RootInProgress& root);
Result<Fd> directory_in_tmp(const RootInProgress& root, const char* name, mode_t mode);
Result<Fd> directory_below(const RootInProgress& root, const Fd& directory, const char* name, mode_t mode);

// Makes a file that only the guest's root may read.
Result<void> write_private_file(const RootInProgress& root, const Fd& directory, const char* name,
                                std::string_view content);
// Mounts a socket of the host on a name in the directory.
Result<void> attach_socket(const Fd& tree, const Fd& directory, const std::string& name);
// Listens on a new stream socket with that name. Every process of the guest that may enter the directory may connect.
Result<Fd> listen_for_guest(const Fd& directory, const std::string& name);

// Returns the text of a file of the root; "" if there is no such file. Returns nothing if isolate must not cover the
// file: a directory is in its place, or it has more than 1 MiB.
Result<std::optional<std::string>> text_of_root(const RootInProgress& root, const std::string& path);
// Mounts a file in memory with this text on /etc/NAME. The root's own file does not change.
Result<void> cover_with_text(RootInProgress* root, const std::string& name, std::string_view text, bool read_only);

}  // namespace isolate
