#include "run/filters.h"

#include <cstdlib>

#include "base/text.h"
#include "linux/file.h"
#include "seccomp/builtin_filters.h"
#include "seccomp/cache.h"

namespace isolate {
namespace {

template <std::size_t Count>
seccomp::Filter built_in(const unsigned long long (&instructions)[Count]) {
  return {reinterpret_cast<const char*>(instructions), sizeof instructions};
}

std::string cache_directory(const Caller& caller) {
  if (caller.is_root()) return "/run/isolate/seccomp";
  const char* cache_home = std::getenv("XDG_CACHE_HOME");
  if (cache_home != nullptr && *cache_home == '/') return std::string(cache_home) + "/isolate/seccomp";
  return caller.home() + "/.cache/isolate/seccomp";
}

Result<seccomp::Profile> standard_profile(std::string_view /*source*/, const CapabilitySet& capabilities) {
  return seccomp::call_profile(capabilities);
}

Result<seccomp::Filter> standard_filter(const CapabilitySet& capabilities, const Caller& caller) {
  if (capabilities == CapabilitySet::docker_default()) return built_in(seccomp::kDefaultCallFilter);
  return seccomp::cached_filter(cache_directory(caller), "standard", capabilities, standard_profile);
}

Result<seccomp::Filter> file_filter(const std::string& path, const CapabilitySet& capabilities, const Caller& caller) {
  const std::string shown = "seccomp profile " + text::printable(path);
  const auto source = read_file(path);
  if (!source) return fail(Error(source.error().code(), shown));
  auto filter = seccomp::cached_filter(cache_directory(caller), *source, capabilities, seccomp::parse_oci_profile);
  if (!filter) return fail(std::move(filter).error().within(shown));
  return filter;
}

}  // namespace

SeccompChoice seccomp_choice(const RunRequest& request) {
  if (request.seccomp.kind != SeccompChoice::Kind::automatic) return request.seccomp;
  const char* disabled = std::getenv("DISABLE_SECCOMP_WRAPPER");
  if (disabled != nullptr && *disabled != 0) return {SeccompChoice::Kind::none, ""};
  if (request.engine == EngineKind::chroot) return {SeccompChoice::Kind::terminal, ""};
  return {SeccompChoice::Kind::standard, ""};
}

Result<std::vector<seccomp::Filter>> plan_filters(const SeccompChoice& choice, const CapabilitySet& capabilities,
                                                  const Caller& caller) {
  switch (choice.kind) {
    case SeccompChoice::Kind::none:
      return std::vector<seccomp::Filter>{};
    case SeccompChoice::Kind::automatic:
    case SeccompChoice::Kind::terminal:
      break;
    case SeccompChoice::Kind::standard:
      return std::vector{built_in(seccomp::kTerminalAndVsockFilter), TRY(standard_filter(capabilities, caller))};
    case SeccompChoice::Kind::file:
      return std::vector{built_in(seccomp::kTerminalFilter), TRY(file_filter(choice.file, capabilities, caller))};
  }
  return std::vector{built_in(seccomp::kTerminalFilter)};
}

}  // namespace isolate
