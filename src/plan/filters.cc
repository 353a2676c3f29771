#include "plan/filters.h"

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

Result<seccomp::Profile> standard_profile(std::string_view /*source*/, const CapabilitySet& capabilities) {
  return seccomp::call_profile(capabilities);
}

Result<seccomp::Filter> standard_filter(const CapabilitySet& capabilities, const std::string& cache) {
  if (capabilities == CapabilitySet::docker_default()) return built_in(seccomp::kDefaultCallFilter);
  return seccomp::cached_filter(cache, "standard", capabilities, built_in(seccomp::kDefaultCallFilter),
                                standard_profile);
}

Result<seccomp::Filter> file_filter(const std::string& path, const CapabilitySet& capabilities,
                                    const std::string& cache) {
  const std::string shown = "seccomp profile " + text::printable(path);
  const auto source = read_file(path);
  if (!source) return fail(Error(source.error().code(), shown));
  auto filter = seccomp::cached_filter(cache, *source, capabilities, built_in(seccomp::kDefaultCallFilter),
                                       seccomp::parse_oci_profile);
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
                                                  const std::string& cache) {
  switch (choice.kind) {
    case SeccompChoice::Kind::none:
      return std::vector<seccomp::Filter>{};
    case SeccompChoice::Kind::automatic:
    case SeccompChoice::Kind::terminal:
      break;
    case SeccompChoice::Kind::standard:
      return std::vector{TRY(standard_filter(capabilities, cache))};
    case SeccompChoice::Kind::file: {
      auto filter = TRY(file_filter(choice.file, capabilities, cache));
      return std::vector{built_in(seccomp::kLeastFilter), std::move(filter)};
    }
  }
  return std::vector{built_in(seccomp::kLeastFilter)};
}

}  // namespace isolate
