// A configuration file. The values of an accepted file are checked as strictly as those of a command line. An error is
// one line of text with the file's name and an existing line number.
#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "fuzz.h"
#include "isolate/config.h"
#include "store/open.h"

namespace isolate::fuzz {
namespace {

constexpr const char* kFile = "config.toml";

void expect_place_in_file(std::string_view text, const Error& error) {
  const auto message = error.message();
  const auto parts = text::split(message, ':');
  expect(parts.size() >= 3 && parts[0] == kFile, "an error begins with the file's name", message);
  const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  // A byte order mark, or a '\r' alone, makes no line. The end of the file is a place as well.
  expect(text::number(parts[1], "line", 1, lines + 1).has_value(), "an error names a line that the file has", message);
}

void expect_checked(const RunRequest& request) {
  expect(request.template_name.empty() || request.directory.empty(), "a template's name excludes a directory");
  expect(request.directory.empty() || (request.directory.starts_with('/') && request.directory != "/"),
         "a directory is absolute and not the host's root", request.directory);
  expect(request.template_name.empty() || check_template_reference(request.template_name), "a template can be meant",
         request.template_name);
  const auto& directory = request.working_directory;
  expect(directory.empty() || directory.starts_with('/'), "a working directory is absolute", request.working_directory);
  expect(request.store.empty() || request.store.starts_with('/'), "a store is absolute", request.store);
  for (const auto& bind : request.binds) {
    expect(!bind.source.empty() && bind.target.size() > 1 && bind.target[0] == '/', "a bind has source and target");
  }
  for (const auto& variable : request.environment) {
    expect(variable.find('=') != std::string::npos && variable[0] != '=', "a variable has a name", variable);
  }
  for (const auto& limit : request.limits) {
    expect(limit.value == kUnlimited || limit.value <= INT64_MAX, "a limit is within its range", limit.name);
  }
  for (const auto& base : {request.uid_base, request.gid_base}) {
    expect(!base || (*base > 0 && std::uint64_t{*base} + 65535 < 0xffffffff), "65536 ids fit above a base");
  }
  expect((request.added_capabilities.mask() & ~CapabilitySet::all().mask()) == 0, "capabilities are known ones");
  expect((request.dropped_capabilities.mask() & ~CapabilitySet::all().mask()) == 0, "capabilities are known ones");
}

// These can only be set on a command line.
void expect_only_settings(const Options& options) {
  const auto& request = options.request;
  expect(!options.help && !options.version && !request.dry_run, "a file asks neither for help nor for a dry run");
  expect(request.status_fd == -1, "a file names no descriptor");
  expect(request.command.empty() && request.pre_hook.empty() && request.post_hook.empty(), "a file has no commands");
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::as_text(data, size);
  Options options;
  const auto applied = apply_configuration(text, fuzz::kFile, &options);
  if (!applied) {
    fuzz::expect_printable(applied.error());
    fuzz::expect_place_in_file(text, applied.error());
  }
  fuzz::expect_checked(options.request);
  fuzz::expect_only_settings(options);
  return 0;
}
