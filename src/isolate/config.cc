#include "isolate/config.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include <cstdlib>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

// A setting's value in the form that it has on a command line.
Result<std::string> scalar_text(const toml::node& node) {
  if (const auto* string = node.as_string()) return string->get();
  if (const auto* integer = node.as_integer()) return std::to_string(integer->get());
  if (const auto* boolean = node.as_boolean()) return std::string(boolean->get() ? "true" : "false");
  return fail("a value must be a string, a whole number, true or false, or a list of strings");
}

Result<void> apply_node(std::string_view key, const toml::node& node, Options* options) {
  const auto* list = node.as_array();
  if (list == nullptr) return apply_setting(key, TRY(scalar_text(node)), options);
  for (const auto& element : *list) TRY_VOID(apply_setting(key, TRY(scalar_text(element)), options));
  return {};
}

bool fits_a_file(std::string_view key) {
  return key != "help" && key != "version" && key != "status-fd" && key != "dry-run";
}

Result<void> read_file_if_there(const std::string& path, Options* options) {
  auto text = read_file(path);
  if (!text && (text.error().code() == ENOENT || text.error().code() == ENOTDIR)) return {};
  if (!text) return fail(std::move(text).error().within("configuration"));
  return apply_configuration(*text, path, options);
}

}  // namespace

Result<void> apply_configuration(std::string_view text, const std::string& name, Options* options) {
  const auto parsed = toml::parse(text);
  if (parsed.failed()) {
    return fail(fmt::format("{}:{}: {}", name, parsed.error().source().begin.line,
                            text::printable(parsed.error().description())));
  }
  for (const auto& [key, node] : parsed.table()) {
    auto applied = fits_a_file(key.str()) ? apply_node(key.str(), node, options)
                                          : fail(fmt::format("'{}' is for the command line only", key.str()));
    if (!applied) return fail(fmt::format("{}:{}: {}", name, node.source().begin.line, applied.error().message()));
  }
  return {};
}

Result<void> read_configuration(Options* options) {
  TRY_VOID(read_file_if_there("/etc/isolate/config.toml", options));
  const char* config_home = std::getenv("XDG_CONFIG_HOME");
  if (config_home != nullptr && *config_home == '/') {
    return read_file_if_there(std::string(config_home) + "/isolate/config.toml", options);
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return read_file_if_there(std::string(home) + "/.config/isolate/config.toml", options);
}

}  // namespace isolate
