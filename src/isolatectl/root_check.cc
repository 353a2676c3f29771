#include "isolatectl/root_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

constexpr const char* kForce = "--force makes a template of it anyway";

bool exists(const std::string& path) { return status_of(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW).has_value(); }

// A Linux root has one of these folders. An image that was made from scratch may hold nothing but a few programs at its
// top.
bool holds_programs(const std::string& directory, const std::vector<std::string>& names) {
  for (const char* folder : {"bin", "sbin", "usr", "nix"}) {
    if (std::find(names.begin(), names.end(), folder) != names.end()) return true;
  }
  return std::any_of(names.begin(), names.end(), [&directory](const std::string& name) {
    const auto status = status_of(AT_FDCWD, directory + "/" + name, AT_SYMLINK_NOFOLLOW);
    return status && S_ISREG(status->st_mode) && (status->st_mode & 0111) != 0;
  });
}

// Says which part of a store the directory is, if it is one that a user may mistake for a root. Otherwise empty.
std::string part_of_store(const std::string& directory) {
  const auto slash = directory.rfind('/');
  const auto name = directory.substr(slash + 1);
  const auto parent = directory.substr(0, slash);
  const auto above = parent.substr(0, parent.rfind('/'));
  if (exists(directory + "/upper") && exists(directory + "/work"))
    return "the clone of a run, which holds changes only";
  if (name == "upper" && exists(parent + "/work")) return "what a clone has changed, not a whole root";
  if (exists(directory + "/generations") && (exists(directory + "/layers") || exists(directory + "/origin"))) {
    return "the folder of a template in a store, not a root";
  }
  if (parent.ends_with("/layers") && exists(above + "/generations") && name != "1") {
    return "one layer of a template, which holds changes only";
  }
  if (exists(directory + "/templates") && exists(directory + "/drafts")) return "a store of templates";
  return "";
}

std::string describe_non_root(const std::string& directory, const std::vector<std::string>& names) {
  if (exists(directory + "/manifest.json") || exists(directory + "/oci-layout")) {
    return "it is a container image in layers; export a container of it instead: docker export CONTAINER | isolatectl "
           "template create NAME --from -";
  }
  if (names.size() == 1 && exists(directory + "/" + names[0] + "/usr")) {
    return fmt::format("its only folder '{}' may be the root", text::printable(names[0]));
  }
  return "it has neither /bin nor /usr, nor a program";
}

}  // namespace

Result<void> check_is_root(const std::string& directory, const std::string& source) {
  const auto names = TRY(list_directory(AT_FDCWD, directory));
  if (names.empty()) return fail("source " + source + " holds no files");
  const auto shown = "source " + text::printable(source);
  if (const auto part = part_of_store(directory); !part.empty()) {
    return fail(Error(fmt::format("{} does not look like a Linux root: it is {}", shown, part)).advise(kForce));
  }
  if (holds_programs(directory, names)) return {};
  return fail(Error(fmt::format("{} does not look like a Linux root: {}", shown, describe_non_root(directory, names)))
                  .advise(kForce));
}

std::string advice_on_source(const std::string& from) {
  constexpr const char* kSources =
      "a source is debian:SUITE, a directory, a tar archive, or - for an archive on standard input";
  if (from.find("://") != std::string::npos) {
    return fmt::format(
        "isolatectl downloads only Debian packages; for an archive: curl -fL {} | isolatectl template create NAME "
        "--from -",
        text::shell_quoted(text::printable(from)));
  }
  for (const char* suite : {"bookworm", "trixie", "bullseye", "forky", "sid", "stable", "testing", "debian"}) {
    if (from == suite) return fmt::format("for a Debian release: --from debian:{}", from == "debian" ? "trixie" : from);
  }
  // NAME and NAME:TAG look like names of container images.
  if (from.find('/') == std::string::npos && !from.empty() && from.find(".t") == std::string::npos) {
    return fmt::format(
        "{}; for an image of Docker or Podman: docker export $(docker create {}) | isolatectl template create "
        "NAME --from -",
        kSources, text::printable(from));
  }
  return kSources;
}

}  // namespace isolate
