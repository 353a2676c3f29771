#include "isolatectl/debian_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "linux/process.h"

namespace isolate {

const char* const kIndexFormat = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)";

namespace {

std::string_view without_trailing_slashes(std::string_view uri) {
  while (uri.ends_with('/')) uri.remove_suffix(1);
  return uri;
}

// Returns the address of the archive with this label from the output of apt-get indextargets. apt knows labels only
// after it has fetched the lists. If no archive has the label, this returns the first archive without one whose path
// ends in `path_end`. Empty if there is no such archive.
std::string archive_address(std::string_view index_targets, std::string_view label, std::string_view path_end) {
  std::string by_path;
  for (const auto& line : text::split(index_targets, '\n')) {
    const auto fields = text::split(line, '|');
    if (fields.size() != 4 || fields[3] != "main") continue;
    const auto address = without_trailing_slashes(fields[0]);
    if (fields[2] == label) return std::string(address);
    if (fields[2].empty() && by_path.empty() && address.ends_with(path_end)) by_path = address;
  }
  return by_path;
}

}  // namespace

std::vector<std::string> sources_for(std::string_view suite, std::string_view index_targets) {
  const auto main_address = archive_address(index_targets, "Debian", "/debian");
  const auto security_address = archive_address(index_targets, "Debian-Security", "/debian-security");
  std::vector<std::string> lines;
  if (main_address.empty()) return lines;
  lines.push_back(fmt::format("deb {} {} main", main_address, suite));
  if (suite == "sid" || suite == "unstable") return lines;  // unstable gets all updates directly
  lines.push_back(fmt::format("deb {} {}-updates main", main_address, suite));
  if (!security_address.empty()) lines.push_back(fmt::format("deb {} {}-security main", security_address, suite));
  return lines;
}

std::vector<std::string> transport_settings(std::string_view apt_config) {
  constexpr std::array<std::string_view, 7> kPrefixes = {
      "Acquire::http::Proxy", "Acquire::https::Proxy",       "Acquire::ForceIPv4", "Acquire::ForceIPv6",
      "Acquire::Check-Date ", "Acquire::Check-Valid-Until ", "Acquire::Retries "};
  std::vector<std::string> settings;
  for (const auto& line : text::split(apt_config, '\n')) {
    const bool wanted = std::any_of(kPrefixes.begin(), kPrefixes.end(),
                                    [&line](std::string_view prefix) { return line.starts_with(prefix); });
    const auto end = line.rfind(';');
    if (wanted && end != std::string::npos && !line.ends_with("\"\";")) settings.push_back(line.substr(0, end));
  }
  return settings;
}

Result<std::vector<std::string>> mmdebstrap_command(const DebianRequest& request, bool as_root) {
  if (!text::is_name(request.suite, 40))
    return fail("debian:" + text::printable(request.suite) + " is not a Debian suite; use debian:trixie for example");
  std::vector<std::string> command = {"mmdebstrap", as_root ? "--mode=root" : "--mode=unshare", "--format=tar",
                                      "--variant=" + request.variant};
  if (!request.include.empty()) command.push_back("--include=" + text::join(request.include, ","));

  // Errors of apt-config and apt-get are ignored: a host without apt has no settings or mirrors of its own, and
  // mmdebstrap then uses Debian's usual mirror.
  if (auto config = run_program({"apt-config", "dump"}); config && config->status.success()) {
    for (const auto& setting : transport_settings(config->out)) command.push_back("--aptopt=" + setting);
  }
  command.push_back(request.suite);
  command.emplace_back("-");
  auto mirrors = request.mirrors;
  if (mirrors.empty()) {
    auto targets = run_program({"apt-get", "indextargets", "--format", kIndexFormat, "Created-By: Packages"});
    if (targets && targets->status.success()) mirrors = sources_for(request.suite, targets->out);
  }
  command.insert(command.end(), mirrors.begin(), mirrors.end());
  return command;
}

}  // namespace isolate
