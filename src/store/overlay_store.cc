#include "store/overlay_store.h"

#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "linux/file.h"
#include "linux/owner_shift.h"
#include "linux/process.h"

namespace isolate {
namespace {

// The suffix of a layer's copy in which every owner is one id higher.
constexpr const char* kShifted = ".shifted";

}  // namespace

Result<OverlayStore> OverlayStore::open(const std::string& path, OwnerNamespace* owner, MissingStore missing) {
  return OverlayStore(path, owner, TRY(open_directory(path, *owner, missing)));
}

Result<std::vector<std::string>> OverlayStore::layer_names(const std::string& name, std::uint64_t generation) {
  const auto file = path() + "/" + generation_path("templates/" + name, generation);
  std::vector<std::string> names;
  for (const auto& line : text::split(TRY(read_file(file)), '\n')) {
    if (line.empty()) continue;
    if (!text::number(line, "layer", 1, 1U << 30))
      return fail(file + ": '" + text::printable(line) + "' is not a layer number");
    names.push_back(line);
  }
  if (names.empty()) return fail(file + " names no layers");
  return names;
}

Result<Generation> OverlayStore::newest_generation(const std::string& name) {
  const auto newest = TRY(generation_numbers(name)).back();
  Generation generation{name, newest, {}, ""};
  for (const auto& layer : TRY(layer_names(name, generation.number))) {
    generation.layers.push_back(fmt::format("{}/templates/{}/layers/{}", path(), name, layer));
  }
  return generation;
}

Result<void> OverlayStore::make_clone(const Generation& generation, const std::string& clone_id) {
  const auto top = TRY(status_of(AT_FDCWD, generation.layers.front()));
  const std::string clone = "clones/" + clone_id;
  if (::mkdirat(directory(), clone.c_str(), 0700) != 0) {
    if (errno != ENOENT) return fail(errno, "mkdir " + path() + "/" + clone);
    TRY_VOID(make_directories(path() + "/clones", 0700));
    TRY_VOID(make_directory(directory(), clone, 0700));
  }
  TRY_VOID(make_directory(directory(), clone + "/work", 0700));
  // The guest sees the mode and owner of the upper directory as those of "/".
  TRY_VOID(make_directory(directory(), clone + "/upper", 0700));
  auto upper = TRY(open_file(directory(), clone + "/upper", O_RDONLY | O_DIRECTORY));
  if (owner().caller().is_root() && (top.st_uid != 0 || top.st_gid != 0)) {
    // A template that belongs to a range of ids is not id-mapped. The guest's root mounts the overlay itself, and so
    // has to own all three directories.
    for (const char* part : {"", "/work", "/upper"}) {
      if (::fchownat(directory(), (clone + part).c_str(), top.st_uid, top.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail(errno, "chown " + clone + part);
      }
    }
  }
  if (::fchmod(upper.get(), top.st_mode & 07777) != 0) return fail(errno, "chmod " + clone + "/upper");
  return {};
}

RootSource OverlayStore::planned_root(const Generation& generation, const std::string& clone_id) const {
  return RootSource{generation.layers, path() + "/clones/" + clone_id};
}

std::string OverlayStore::clone_location(const std::string& clone_id) const {
  return path() + "/clones/" + clone_id + "/upper";
}

Result<std::string> OverlayStore::begin_draft(const std::string& draft) {
  TRY_VOID(make_directories(path() + "/" + draft + "/layers/1", 0755));
  return std::string("layers/1");
}

Result<void> OverlayStore::finish_draft(const std::string& draft) { return write_generation(draft, 1, {"1"}); }

Result<void> OverlayStore::write_generation(const std::string& template_directory, std::uint64_t number,
                                            const std::vector<std::string>& names) {
  const std::string final_path = generation_path(template_directory, number);
  const std::string temporary = final_path + ".new";
  auto file = TRY(open_file(directory(), temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY_VOID(write_all(file.get(), text::join(names, "\n") + "\n", temporary));
  // The whole layer has to be on disk before a generation names it.
  if (::syncfs(file.get()) != 0) return fail(errno, "sync " + path());
  TRY_VOID(rename_file(directory(), temporary, directory(), final_path));
  return {};
}

Result<std::uint64_t> OverlayStore::publish_clone(const Generation& base, const std::string& clone_id) {
  constexpr std::size_t kMostLayers = 400;  // the kernel accepts 500 lower layers
  const auto newest = TRY(generation_numbers(base.template_name)).back();
  if (newest != base.number) return fail(EAGAIN, "template '" + base.template_name + "' was changed in the meantime");
  auto names = TRY(layer_names(base.template_name, base.number));
  if (names.size() >= kMostLayers) {
    return fail(
        fmt::format("template '{}' has {} layers; make a new template from a tar archive of its root: isolatectl "
                    "template create NAME --from "
                    "TARBALL",
                    base.template_name, names.size()));
  }
  const std::uint64_t number = newest + 1;
  const std::string template_directory = "templates/" + base.template_name;
  names.insert(names.begin(), std::to_string(number));
  // A crash between the two steps below leaves a layer without a generation. Remove it first.
  TRY_VOID(remove(template_directory + "/layers", std::to_string(number)));
  // Needs rights over all files of the store, because the guest may have given "/" to another id.
  TRY_VOID(as_owner([&] {
    return rename_file(directory(), "clones/" + clone_id + "/upper", directory(),
                       fmt::format("{}/layers/{}", template_directory, number));
  }));
  TRY_VOID(write_generation(template_directory, number, names));
  return number;
}

Result<bool> OverlayStore::is_unchanged(const Generation& base, const std::string& clone_id) {
  const auto upper = "clones/" + clone_id + "/upper";
  // Compare "/" itself: make_clone() gave it the owner and mode of the topmost layer.
  const auto now = TRY(status_of(directory(), upper));
  const auto before = TRY(status_of(AT_FDCWD, base.layers.front()));
  if (now.st_mode != before.st_mode || now.st_uid != before.st_uid || now.st_gid != before.st_gid) return false;
  return TRY(list_directory(directory(), upper)).empty();
}

Result<std::uint64_t> OverlayStore::snapshot(const std::string& name) {
  const auto newest = TRY(generation_numbers(name)).back();
  TRY_VOID(write_generation("templates/" + name, newest + 1, TRY(layer_names(name, newest))));
  return newest + 1;
}

bool OverlayStore::has_shifted_layers(const Generation& generation) const {
  return std::all_of(generation.layers.begin(), generation.layers.end(),
                     [](const std::string& layer) { return status_of(AT_FDCWD, layer + kShifted).has_value(); });
}

Result<std::vector<std::string>> OverlayStore::shifted_layers(const Generation& generation) {
  std::vector<std::string> layers;
  for (const auto& layer : generation.layers) {
    layers.push_back(layer + kShifted);
    if (!status_of(AT_FDCWD, layers.back())) TRY_VOID(make_shifted_layer(layer));
  }
  return layers;
}

Result<void> OverlayStore::make_shifted_layer(const std::string& layer) {
  const auto draft = TRY(make_draft());
  const std::string copy = "drafts/" + draft.name + "/layer";
  auto made = as_owner([&]() -> Result<void> {
    const auto copied = TRY(run_program({"cp", "--archive", "--reflink=auto", layer, path() + "/" + copy}));
    if (!copied.status.success()) return fail("copy " + layer + ": " + copied.err.substr(0, copied.err.find('\n')));
    TRY_VOID(shift_owners(directory(), copy, 1));
    auto renamed = rename_file(directory(), copy, AT_FDCWD, layer + kShifted, RENAME_NOREPLACE);
    // Another run has made the same copy meanwhile.
    if (!renamed && renamed.error().code() == EEXIST) return {};
    return renamed;
  });
  auto removed = remove("drafts", draft.name);
  TRY_VOID(std::move(made));
  return removed;
}

Result<std::vector<std::string>> OverlayStore::collect_garbage(const std::string& name,
                                                               const std::vector<std::uint64_t>& used) {
  std::vector<std::string> removed;
  const auto numbers = TRY(generation_numbers(name));
  const std::string template_directory = "templates/" + name;
  std::vector<std::string> needed;
  for (const auto number : numbers) {
    const bool in_use = number == numbers.back() || std::find(used.begin(), used.end(), number) != used.end();
    if (in_use) {
      for (auto& layer : TRY(layer_names(name, number))) needed.push_back(std::move(layer));
      continue;
    }
    TRY_VOID(remove(template_directory + "/generations", std::to_string(number)));
    removed.push_back(fmt::format("generation {} of template {}", number, name));
  }
  for (const auto& layer : TRY(list_directory(directory(), template_directory + "/layers"))) {
    const auto original = layer.substr(0, layer.find('.'));  // a shifted copy is removed with its original
    if (std::find(needed.begin(), needed.end(), original) != needed.end()) continue;
    TRY_VOID(remove(template_directory + "/layers", layer));
    removed.push_back(fmt::format("layer {} of template {}", layer, name));
  }
  return removed;
}

}  // namespace isolate
