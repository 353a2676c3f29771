#include "store/overlay_store.h"

#include <fmt/format.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/owner_shift.h"
#include "linux/process.h"

namespace isolate {
namespace {

std::string generation_path(const std::string& template_directory, unsigned number) {
  return fmt::format("{}/generations/{}", template_directory, number);
}

// A layer's copy whose owners are one id higher.
constexpr const char* kShifted = ".shifted";

// The newest number in a list of names that are numbers; others (being written) do not count.
std::vector<unsigned> numbers_in(const std::vector<std::string>& names) {
  std::vector<unsigned> numbers;
  for (const auto& name : names) {
    if (auto value = text::number(name, "", 1, 1U << 30)) numbers.push_back(static_cast<unsigned>(*value));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

Result<OverlayStore> OverlayStore::open(const std::string& path, OwnerNamespace* owner, Missing missing) {
  auto directory = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!directory && directory.error().code() == ENOENT) {
    if (missing == Missing::refuse) {
      return fail(Error("there are no templates in " + path)
                      .advise("make one: isolatectl template create NAME --from debian:bookworm"));
    }
    // All at once, so that even on a full disk there is a place to move to what is to be removed.
    for (const char* below : {"", "/templates", "/clones", "/pools", "/drafts", "/trash"}) {
      TRY_VOID(make_directories(path + below, 0700));
    }
    directory = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  }
  if (!directory) return fail(std::move(directory).error().within("store"));
  const auto status = TRY(status_of(directory->get(), "", AT_EMPTY_PATH));
  // Others who could write here could swap the root of a run; those who can look in could execute what a guest made
  // setuid.
  if (status.st_uid != owner->caller().uid || (status.st_mode & 077) != 0) {
    return fail("store " + path + " must belong to you and be closed to all others (chmod 700)");
  }
  return OverlayStore(path, owner, std::move(*directory));
}

Result<void> OverlayStore::check_exists(const std::string& name) {
  TRY_VOID(check_template_name(name));
  if (has_template(name)) return {};
  return fail(Error(fmt::format("there is no template '{}' in {}", name, path_))
                  .advise("see isolatectl template list, or make one: isolatectl template create " + name +
                          " --from debian:bookworm"));
}

Result<std::vector<unsigned>> OverlayStore::generation_numbers(const std::string& name) {
  TRY_VOID(check_exists(name));
  auto numbers = numbers_in(TRY(list_directory(directory_.get(), "templates/" + name + "/generations")));
  if (numbers.empty()) return fail(fmt::format("template '{}' in {} has no complete generation", name, path_));
  return numbers;
}

Result<std::vector<std::string>> OverlayStore::layer_names(const std::string& name, unsigned generation) {
  const auto path = path_ + "/" + generation_path("templates/" + name, generation);
  std::vector<std::string> names;
  for (const auto& line : text::split(TRY(read_file(path)), '\n')) {
    if (line.empty()) continue;
    if (!text::number(line, "layer", 1, 1U << 30)) return fail(path + ": '" + text::printable(line) + "' is no layer");
    names.push_back(line);
  }
  if (names.empty()) return fail(path + " names no layers");
  return names;
}

Result<Generation> OverlayStore::newest_generation(const std::string& name) {
  Generation generation{name, TRY(generation_numbers(name)).back(), {}};
  for (const auto& layer : TRY(layer_names(name, generation.number))) {
    generation.layers.push_back(fmt::format("{}/templates/{}/layers/{}", path_, name, layer));
  }
  return generation;
}

Result<TemplateInfo> OverlayStore::info(const std::string& name) {
  const auto generation = TRY(newest_generation(name));
  TemplateInfo info{name, std::string(kind()), generation.number, generation.layers.size(), 0, "", ""};
  info.created = TRY(status_of(directory_.get(), generation_path("templates/" + name, generation.number))).st_mtime;
  if (auto origin = read_file(path_ + "/templates/" + name + "/origin")) info.origin = *origin;
  return info;
}

Result<std::vector<TemplateInfo>> OverlayStore::templates() {
  auto names = list_directory(directory_.get(), "templates");
  if (!names && names.error().code() == ENOENT) return std::vector<TemplateInfo>{};
  if (!names) return fail(std::move(names).error());
  std::vector<TemplateInfo> infos;
  for (const auto& name : *names) {
    auto known = info(name);
    infos.push_back(known ? std::move(*known)
                          : TemplateInfo{name, std::string(kind()), 0, 0, 0, "", known.error().message()});
  }
  return infos;
}

Result<RootSource> OverlayStore::make_clone(const Generation& generation, const std::string& clone_id) {
  const auto top = TRY(status_of(AT_FDCWD, generation.layers.front()));
  const std::string clone = "clones/" + clone_id;
  if (::mkdirat(directory_.get(), clone.c_str(), 0700) != 0) {
    if (errno != ENOENT) return fail(errno, "mkdir " + path_ + "/" + clone);
    TRY_VOID(make_directories(path_ + "/clones", 0700));
    TRY_VOID(make_directory(directory_.get(), clone, 0700));
  }
  TRY_VOID(make_directory(directory_.get(), clone + "/work", 0700));
  // The upper directory's own mode and owner are what the guest sees on "/".
  TRY_VOID(make_directory(directory_.get(), clone + "/upper", 0700));
  auto upper = TRY(open_file(directory_.get(), clone + "/upper", O_RDONLY | O_DIRECTORY));
  if (owner_->caller().is_root() && (top.st_uid != 0 || top.st_gid != 0) &&
      ::fchown(upper.get(), top.st_uid, top.st_gid) != 0) {
    return fail(errno, "chown " + clone + "/upper");
  }
  if (::fchmod(upper.get(), top.st_mode & 07777) != 0) return fail(errno, "chmod " + clone + "/upper");
  return RootSource{generation.layers, path_ + "/" + clone};
}

Result<void> OverlayStore::remove(const std::string& parent, const std::string& name) {
  auto remove_from = [&]() -> Result<void> {
    auto parent_directory = open_file(directory_.get(), parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!parent_directory && parent_directory.error().code() == ENOENT) return {};
    if (!parent_directory) return fail(std::move(parent_directory).error());
    return remove_tree(parent_directory->get(), name);
  };
  // Without the namespace, which takes newuidmap to make, where there is nothing of other ids in it.
  auto removed = remove_from();
  if (removed || owner_->caller().is_root()) return removed;
  return owner_->run(remove_from);
}

Result<void> OverlayStore::destroy_clone(const std::string& clone_id) { return remove("clones", clone_id); }

std::string OverlayStore::clone_location(const std::string& clone_id) const {
  return path_ + "/clones/" + clone_id + "/upper";
}

Result<std::uint64_t> OverlayStore::bytes_of(const std::string& name) {
  // Shared with the child that may look into directories of other ids.
  void* shared = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return fail(errno, "mmap");
  auto* bytes = static_cast<std::uint64_t*>(shared);
  auto outcome = owner_->run([&]() -> Result<void> {
    *bytes = TRY(tree_usage(directory_.get(), name)).bytes;
    return {};
  });
  const std::uint64_t result = *bytes;
  ::munmap(shared, sizeof(std::uint64_t));
  if (!outcome) return fail(std::move(outcome).error());
  return result;
}

Result<std::uint64_t> OverlayStore::clone_bytes(const std::string& clone_id) { return bytes_of("clones/" + clone_id); }

Result<std::uint64_t> OverlayStore::template_bytes(const std::string& name) { return bytes_of("templates/" + name); }

Result<Fd> OverlayStore::open_drafts() {
  TRY_VOID(make_directories(path_ + "/drafts", 0700));
  return open_file(directory_.get(), "drafts", O_RDONLY | O_DIRECTORY);
}

Result<OverlayStore::Draft> OverlayStore::make_draft() {
  // Shared: whoever looks for abandoned drafts must not meet one between its making and its lock.
  auto making = TRY(FileLock::wait(TRY(open_drafts()), FileLock::Mode::shared));
  Draft draft{random_name(), FileLock()};
  TRY_VOID(make_directory(making.fd(), draft.name, 0755));
  auto file = TRY(open_file(making.fd(), draft.name + "/lock", O_RDWR | O_CREAT, 0600));
  draft.lock = TRY(FileLock::try_lock(std::move(file), FileLock::Mode::exclusive));
  return draft;
}

Result<std::vector<OverlayStore::Draft>> OverlayStore::abandoned_drafts() {
  auto looking = TRY(FileLock::wait(TRY(open_drafts()), FileLock::Mode::exclusive));
  std::vector<Draft> drafts;
  for (const auto& name : TRY(list_directory(looking.fd(), "."))) {
    Draft draft{name, FileLock()};
    if (auto file = open_file(looking.fd(), name + "/lock", O_RDWR)) {
      auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
      if (!lock) continue;  // being worked on
      draft.lock = std::move(*lock);
    }
    drafts.push_back(std::move(draft));
  }
  return drafts;
}

Result<std::string> OverlayStore::begin_template(const std::string& name) {
  TRY_VOID(check_template_name(name));
  if (status_of(directory_.get(), "templates/" + name)) {
    return fail(Error(fmt::format("there is a template '{}' already", name))
                    .advise("change it with isolatectl template edit, or remove it first"));
  }
  auto draft = TRY(make_draft());
  const std::string directory = path_ + "/drafts/" + draft.name;
  TRY_VOID(make_directories(directory + "/layers/1", 0755));
  TRY_VOID(make_directories(directory + "/generations", 0755));
  const std::string layer = directory + "/layers/1";
  drafts_[layer] = std::move(draft.lock);
  return layer;
}

namespace {
// "STORE/drafts/X/layers/1" is a layer of the draft X.
std::string draft_name(const std::string& layer) {
  const auto parts = text::split(layer, '/');
  return parts[parts.size() - 3];
}
}  // namespace

Result<void> OverlayStore::write_generation(const std::string& template_directory, unsigned number,
                                            const std::vector<std::string>& names) {
  const std::string final_path = generation_path(template_directory, number);
  const std::string temporary = final_path + ".new";
  auto file = TRY(open_file(directory_.get(), temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY_VOID(write_all(file.get(), text::join(names, "\n") + "\n", temporary));
  // All of the layer has to be on disk before a generation names it.
  if (::syncfs(file.get()) != 0) return fail(errno, "sync " + path_);
  TRY_VOID(rename_file(directory_.get(), temporary, directory_.get(), final_path));
  return {};
}

Result<void> OverlayStore::publish_template(const std::string& name, const std::string& draft,
                                            const std::string& origin) {
  const std::string directory = "drafts/" + draft_name(draft);
  auto file = TRY(open_file(directory_.get(), directory + "/origin", O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY_VOID(write_all(file.get(), origin, "origin"));
  TRY_VOID(write_generation(directory, 1, {"1"}));
  TRY_VOID(make_directories(path_ + "/templates", 0700));
  auto renamed = rename_file(directory_.get(), directory, directory_.get(), "templates/" + name, RENAME_NOREPLACE);
  if (!renamed && renamed.error().code() == EEXIST) return fail(fmt::format("there is a template '{}' already", name));
  if (!renamed) return renamed;
  drafts_.erase(draft);
  return {};
}

Result<void> OverlayStore::discard_draft(const std::string& draft) {
  auto removed = remove("drafts", draft_name(draft));
  drafts_.erase(draft);
  return removed;
}

Result<unsigned> OverlayStore::publish_clone(const Generation& base, const std::string& clone_id) {
  constexpr std::size_t kMostLayers = 400;  // the kernel takes 500 lower layers
  const unsigned newest = TRY(generation_numbers(base.template_name)).back();
  if (newest != base.number) return fail(EAGAIN, "template '" + base.template_name + "' was changed in the meantime");
  auto names = TRY(layer_names(base.template_name, base.number));
  if (names.size() >= kMostLayers) {
    return fail(
        fmt::format("template '{}' has {} layers; make a new template of it: isolatectl template create NAME --from "
                    "TARBALL, from a tar archive made inside",
                    base.template_name, names.size()));
  }
  const unsigned number = newest + 1;
  const std::string template_directory = "templates/" + base.template_name;
  names.insert(names.begin(), std::to_string(number));
  // A layer without a generation, left by a crash between the two steps, is replaced.
  TRY_VOID(remove(template_directory + "/layers", std::to_string(number)));
  // As the owner of everything: the guest may have given "/" to another id.
  TRY_VOID(owner_->run([&] {
    return rename_file(directory_.get(), "clones/" + clone_id + "/upper", directory_.get(),
                       fmt::format("{}/layers/{}", template_directory, number));
  }));
  TRY_VOID(write_generation(template_directory, number, names));
  return number;
}

bool OverlayStore::has_template(const std::string& name) {
  auto status = status_of(directory_.get(), "templates/" + name, AT_SYMLINK_NOFOLLOW);
  return status || status.error().code() != ENOENT;
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
  auto made = owner_->run([&]() -> Result<void> {
    const auto copied = TRY(run_program({"cp", "--archive", "--reflink=auto", layer, path_ + "/" + copy}));
    if (!copied.status.success()) return fail("copy " + layer + ": " + copied.err.substr(0, copied.err.find('\n')));
    TRY_VOID(shift_owners(directory_.get(), copy, 1));
    auto renamed = rename_file(directory_.get(), copy, AT_FDCWD, layer + kShifted, RENAME_NOREPLACE);
    // Another run was faster with the same copy.
    if (!renamed && renamed.error().code() == EEXIST) return {};
    return renamed;
  });
  auto removed = remove("drafts", draft.name);
  TRY_VOID(std::move(made));
  return removed;
}

Result<void> OverlayStore::remove_template(const std::string& name) {
  TRY_VOID(check_exists(name));
  TRY_VOID(make_directories(path_ + "/trash", 0700));
  const std::string trash = random_name();
  TRY_VOID(rename_file(directory_.get(), "templates/" + name, directory_.get(), "trash/" + trash));
  return remove("trash", trash);
}

Result<std::vector<std::string>> OverlayStore::collect_garbage(const std::string& name,
                                                               const std::vector<unsigned>& used) {
  std::vector<std::string> removed;
  const auto numbers = TRY(generation_numbers(name));
  const std::string directory = "templates/" + name;
  std::vector<std::string> needed;
  for (unsigned number : numbers) {
    const bool in_use = number == numbers.back() || std::find(used.begin(), used.end(), number) != used.end();
    if (in_use) {
      for (auto& layer : TRY(layer_names(name, number))) needed.push_back(std::move(layer));
      continue;
    }
    TRY_VOID(remove(directory + "/generations", std::to_string(number)));
    removed.push_back(fmt::format("generation {} of template {}", number, name));
  }
  for (const auto& layer : TRY(list_directory(directory_.get(), directory + "/layers"))) {
    const auto original = layer.substr(0, layer.find('.'));  // a shifted copy goes with its original
    if (std::find(needed.begin(), needed.end(), original) != needed.end()) continue;
    TRY_VOID(remove(directory + "/layers", layer));
    removed.push_back(fmt::format("layer {} of template {}", layer, name));
  }
  return removed;
}

Result<std::vector<std::string>> OverlayStore::collect_leftovers() {
  std::vector<std::string> removed;
  const auto remove_left = [&](const std::string& parent, const std::string& name) -> Result<void> {
    TRY_VOID(remove(parent, name));
    removed.push_back("what was left of an interrupted command: " + parent + "/" + name);
    return {};
  };
  for (const auto& draft : TRY(abandoned_drafts())) TRY_VOID(remove_left("drafts", draft.name));
  auto trash = list_directory(directory_.get(), "trash");
  if (!trash && trash.error().code() == ENOENT) return removed;
  for (const auto& name : TRY(std::move(trash))) TRY_VOID(remove_left("trash", name));
  return removed;
}

}  // namespace isolate
