#include "share/cdi.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "linux/file.h"

namespace isolate {
namespace {

// A node of a YAML document. A node that is missing, or of another kind than the caller expects, is empty.
class Node {
 public:
  Node(yaml_document_t* document, yaml_node_t* node) : document_(document), node_(node) {}

  std::string text() const {
    if (node_ == nullptr || node_->type != YAML_SCALAR_NODE) return {};
    return {reinterpret_cast<const char*>(node_->data.scalar.value), node_->data.scalar.length};
  }

  Node operator[](std::string_view key) const {
    if (node_ == nullptr || node_->type != YAML_MAPPING_NODE) return {document_, nullptr};
    const auto& pairs = node_->data.mapping.pairs;
    for (auto* pair = pairs.start; pair != pairs.top; ++pair) {
      if (at(pair->key).text() == key) return at(pair->value);
    }
    return {document_, nullptr};
  }

  std::vector<Node> items() const {
    std::vector<Node> nodes;
    if (node_ == nullptr || node_->type != YAML_SEQUENCE_NODE) return nodes;
    const auto& list = node_->data.sequence.items;
    for (auto* item = list.start; item != list.top; ++item) nodes.push_back(at(*item));
    return nodes;
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> result;
    for (const auto& item : items()) result.push_back(item.text());
    return result;
  }

 private:
  Node at(int index) const { return {document_, ::yaml_document_get_node(document_, index)}; }

  yaml_document_t* document_;
  yaml_node_t* node_;
};

Result<std::string> checked_path(const std::string& path, const char* what) {
  const auto parts = text::split(path, '/');
  const bool leads_up = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (path.starts_with('/') && path.size() > 1 && !leads_up && path.find('\0') == std::string::npos) return path;
  return fail(fmt::format("{} '{}' is not an absolute path without '..'", what, text::printable(path)));
}

// The value of each option `name` among the arguments of a hook: "--link A" or "--link=A".
std::vector<std::string> values_of(const std::vector<std::string>& arguments, const std::string& name) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == name && i + 1 < arguments.size()) values.push_back(arguments[++i]);
    if (arguments[i].starts_with(name + "=")) values.push_back(arguments[i].substr(name.size() + 1));
  }
  return values;
}

// A hook is a command that a container program executes as root before the container starts. isolate executes no hook:
// it does itself what these two hooks of NVIDIA do.
Result<void> add_hook(const Node& hook, CdiEdits* edits) {
  const auto arguments = hook["args"].texts();
  const auto has = [&arguments](const char* word) {
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
  };
  if (has("create-symlinks")) {
    for (const auto& value : values_of(arguments, "--link")) {
      const auto middle = value.find("::");
      if (middle == std::string::npos || middle == 0) {
        return fail(fmt::format("link '{}' is not of the form TARGET::LINK", text::printable(value)));
      }
      auto link = TRY(checked_path(value.substr(middle + 2), "link"));
      edits->links.push_back({value.substr(0, middle), std::move(link)});
    }
  } else if (has("update-ldcache")) {
    for (const auto& folder : values_of(arguments, "--folder")) {
      edits->library_folders.push_back(TRY(checked_path(folder, "folder")));
    }
  } else {
    edits->unknown_hooks.push_back(arguments.size() > 1 ? text::join({arguments.begin() + 1, arguments.end()}, " ")
                                                        : hook["path"].text());
  }
  return {};
}

Result<void> add_edits(const Node& from, CdiEdits* edits) {
  for (const auto& node : from["deviceNodes"].items()) {
    const auto path = TRY(checked_path(node["path"].text(), "device"));
    const auto source = node["hostPath"].text();
    edits->devices.push_back({source.empty() ? path : TRY(checked_path(source, "device")), path});
  }
  for (const auto& mount : from["mounts"].items()) {
    auto outside = TRY(checked_path(mount["hostPath"].text(), "mount"));
    auto inside = TRY(checked_path(mount["containerPath"].text(), "mount"));
    edits->files.push_back({std::move(outside), std::move(inside)});
  }
  for (const auto& variable : from["env"].texts()) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos || equals == 0 || variable.find('\0') != std::string::npos) {
      return fail(fmt::format("env '{}' is not of the form NAME=VALUE", text::printable(variable)));
    }
    edits->environment.push_back(variable);
  }
  for (const auto& hook : from["hooks"].items()) TRY_VOID(add_hook(hook, edits));
  return {};
}

Result<std::optional<CdiEdits>> edits_of(const Node& root) {
  if (!root["kind"].text().ends_with("/gpu")) return std::nullopt;
  CdiEdits edits;
  const auto devices = root["devices"].items();
  const auto is_all = [](const Node& device) { return device["name"].text() == "all"; };
  const bool has_all = std::any_of(devices.begin(), devices.end(), is_all);
  for (const auto& device : devices) {
    if (!has_all || is_all(device)) TRY_VOID(add_edits(device["containerEdits"], &edits));
  }
  TRY_VOID(add_edits(root["containerEdits"], &edits));
  return edits;
}

// Adds the elements that `into` lacks. The devices of a file often repeat each other's elements.
template <typename T>
void merge(std::vector<T>&& from, std::vector<T>* into) {
  for (auto& one : from) {
    if (std::find(into->begin(), into->end(), one) == into->end()) into->push_back(std::move(one));
  }
}

void merge(CdiEdits&& from, CdiEdits* into) {
  merge(std::move(from.devices), &into->devices);
  merge(std::move(from.files), &into->files);
  merge(std::move(from.links), &into->links);
  merge(std::move(from.library_folders), &into->library_folders);
  merge(std::move(from.environment), &into->environment);
  merge(std::move(from.unknown_hooks), &into->unknown_hooks);
}

}  // namespace

Result<std::optional<CdiEdits>> parse_cdi(std::string_view text) {
  yaml_parser_t parser;
  if (::yaml_parser_initialize(&parser) == 0) return fail(ENOMEM, "YAML parser");
  const std::unique_ptr<yaml_parser_t, decltype(&::yaml_parser_delete)> parser_end(&parser, &::yaml_parser_delete);
  ::yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  yaml_document_t document;
  if (::yaml_parser_load(&parser, &document) == 0) {
    return fail(fmt::format("line {}: {}", parser.problem_mark.line + 1,
                            parser.problem == nullptr ? "malformed" : parser.problem));
  }
  const std::unique_ptr<yaml_document_t, decltype(&::yaml_document_delete)> end(&document, &::yaml_document_delete);
  return edits_of({&document, ::yaml_document_get_root_node(&document)});
}

Result<CdiEdits> read_cdi(const std::vector<std::string>& directories) {
  CdiEdits all;
  for (const auto& directory : directories) {
    const auto names = list_directory(AT_FDCWD, directory);
    if (!names) continue;  // most hosts have no such files
    for (const auto& name : *names) {
      if (!name.ends_with(".yaml") && !name.ends_with(".yml") && !name.ends_with(".json")) continue;
      const auto path = directory + "/" + name;
      const auto text = TRY(read_file(path));
      auto edits = parse_cdi(text);
      if (!edits) return fail(std::move(edits).error().within(text::printable(path)));
      if (*edits) merge(std::move(**edits), &all);
    }
  }
  // The directories of the specification may be the same one, and a device may repeat what its file says for all
  // devices.
  CdiEdits once;
  merge(std::move(all), &once);
  return once;
}

}  // namespace isolate
