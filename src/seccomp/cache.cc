#include "seccomp/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <unistd.h>

#include <functional>

#include "linux/file.h"

namespace isolate::seccomp {
namespace {

// Everything that the filter depends on. The file contains this key before the filter, and the whole key is compared.
// The file's name is only a hash of the key, which two keys may share.
std::string key_of(const std::string& source, const CapabilitySet& capabilities, const Filter& sample) {
  const auto* library = ::seccomp_version();
  return fmt::format("isolate {} libseccomp {}.{}.{} capabilities {:x}\n{}\n{}", ISOLATE_VERSION, library->major,
                     library->minor, library->micro, capabilities.mask(), sample, source);
}

Result<Filter> read_cached(const std::string& path, const std::string& key) {
  auto file = TRY(open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW));
  const auto status = TRY(status_of(file.get(), "", AT_EMPTY_PATH));
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) return fail(path + ": other users can write to it");
  const auto text = TRY(read_all(file.get()));
  const auto length = text.size() - std::min(text.size(), key.size());
  if (!text.starts_with(key) || length == 0 || length % sizeof(sock_filter) != 0) {
    return fail(path + ": it holds another filter, or is damaged");
  }
  return text.substr(key.size());
}

Result<void> write_cached(const std::string& directory, const std::string& path, const std::string& content) {
  TRY_VOID(make_directories(directory, 0700));
  return replace_file(path, content, 0600);
}

}  // namespace

Result<Filter> cached_filter(const std::string& directory, const std::string& source, const CapabilitySet& capabilities,
                             const Filter& sample,
                             Result<Profile> (*parse)(std::string_view source, const CapabilitySet& capabilities)) {
  const auto key = key_of(source, capabilities, sample);
  const auto path = fmt::format("{}/{:016x}", directory, std::hash<std::string>()(key));
  if (auto cached = read_cached(path, key)) return cached;
  const auto profile = TRY(parse(source, capabilities));
  auto filter = TRY(compile(profile));
  // If the filter can't be kept, the next run compiles it again, which is only slower.
  [[maybe_unused]] auto kept = write_cached(directory, path, key + filter);
  return filter;
}

}  // namespace isolate::seccomp
