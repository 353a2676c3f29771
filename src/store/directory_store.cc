#include "store/directory_store.h"

#include <fmt/format.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/random.h"
#include "base/text.h"
#include "linux/file.h"
#include "linux/tree.h"

namespace isolate {
namespace {

constexpr std::uint64_t kMostGenerations = 1U << 30;

// Returns the numbers among the names. Other names are generations that are being written.
std::vector<std::uint64_t> numbers_in(const std::vector<std::string>& names) {
  std::vector<std::uint64_t> numbers;
  for (const auto& name : names) {
    if (auto value = text::number(name, "", 1, kMostGenerations)) numbers.push_back(*value);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// A clone is named NAME-RANDOM. The name of the template may contain '-', too.
bool is_clone_of(const std::string& template_name, const std::string& clone_id) {
  const auto dash = clone_id.rfind('-');
  return dash != std::string::npos && clone_id.substr(0, dash) == template_name && text::is_name(clone_id, 60);
}

}  // namespace

std::string generation_path(const std::string& template_directory, std::uint64_t number) {
  return fmt::format("{}/generations/{}", template_directory, number);
}

Result<Fd> DirectoryStore::open_directory(const std::string& path, const OwnerNamespace& owner, MissingStore missing) {
  auto directory = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!directory && directory.error().code() == ENOENT) {
    if (missing == MissingStore::refuse) {
      return fail(Error("there are no templates in " + path)
                      .advise("make one: isolatectl template create NAME --from debian:bookworm"));
    }
    TRY_VOID(make_directories(path, 0700));
    directory = open_file(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  }
  if (!directory) return fail(std::move(directory).error().within("store"));
  const auto status = TRY(status_of(directory->get(), "", AT_EMPTY_PATH));
  // Another user who could write here could replace the root of a run; one who could enter could execute set-user-id
  // files that a guest made.
  if (owner.caller().is_root() && status.st_uid != 0) {
    const auto user = Caller{status.st_uid, status.st_gid}.name();
    return fail(Error("store " + path + " belongs to " + user)
                    .advise("as that user: runuser -u " + user + " -- isolatectl ..."));
  }
  if (status.st_uid != owner.caller().uid || (status.st_mode & 077) != 0) {
    return fail("store " + path + " must belong to you and be inaccessible to others (chmod 700)");
  }
  if (missing == MissingStore::refuse) return directory;
  // All at once, so that trash/ exists even when the disk is full: removal first moves things there.
  for (const char* below : {"/templates", "/clones", "/pools", "/drafts", "/trash"})
    TRY_VOID(make_directories(path + below, 0700));
  return directory;
}

Result<std::vector<std::uint64_t>> DirectoryStore::generation_numbers(const std::string& name) {
  TRY_VOID(check_exists(name));
  auto numbers = numbers_in(TRY(list_directory(directory(), "templates/" + name + "/generations")));
  if (numbers.empty()) return fail(fmt::format("template '{}' in {} has no complete generation", name, path_));
  return numbers;
}

Result<TemplateInfo> DirectoryStore::info(const std::string& name) {
  const auto generation = TRY(newest_generation(name));
  TemplateInfo info{
      name, std::string(kind()), generation.number, std::max<std::size_t>(1, generation.layers.size()), 0, "", ""};
  // The time of the entry that names the generation: a snapshot shows the times of the root that it was made from.
  info.created = TRY(status_of(directory(), generation_path("templates/" + name, generation.number))).st_ctime;
  if (auto origin = read_file(path_ + "/templates/" + name + "/origin")) info.origin = *origin;
  return info;
}

Result<std::vector<TemplateInfo>> DirectoryStore::templates() {
  auto names = list_directory(directory(), "templates");
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

Result<bool> DirectoryStore::has_template(const std::string& name) {
  auto status = status_of(directory(), "templates/" + name, AT_SYMLINK_NOFOLLOW);
  return status || status.error().code() != ENOENT;
}

Result<void> DirectoryStore::remove(const std::string& parent, const std::string& name, Deadline deadline) {
  auto remove_from = [&]() -> Result<void> {
    auto parent_directory = open_file(directory(), parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!parent_directory && parent_directory.error().code() == ENOENT) return {};
    if (!parent_directory) return fail(std::move(parent_directory).error());
    return remove_tree(parent_directory->get(), name, deadline);
  };
  // Try without the user namespace, which newuidmap makes slow. It is needed only if the tree has files of other ids.
  auto removed = remove_from();
  if (removed || owner_->caller().is_root()) return removed;
  return owner_->run(remove_from);
}

Result<void> DirectoryStore::destroy_clone(const std::string& template_name, const std::string& clone_id,
                                           Deadline deadline) {
  if (!is_clone_of(template_name, clone_id)) {
    return fail("'" + text::printable(clone_id) + "' is not a clone of template '" + template_name + "'");
  }
  return remove("clones", clone_id, deadline);
}

Result<std::vector<std::string>> DirectoryStore::clones(const std::string& template_name) {
  auto names = list_directory(directory(), "clones");
  if (!names && names.error().code() == ENOENT) return std::vector<std::string>{};
  auto ids = TRY(std::move(names));
  std::erase_if(ids, [&template_name](const std::string& id) { return !is_clone_of(template_name, id); });
  return ids;
}

Result<DiskUse> DirectoryStore::use_of(const std::string& name, Deadline deadline) {
  // Shared memory returns the count from the child, which may read directories of other ids.
  void* shared = ::mmap(nullptr, sizeof(DiskUse), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return fail(errno, "mmap");
  auto* use = static_cast<DiskUse*>(shared);
  auto outcome = owner_->run([&]() -> Result<void> {
    const auto counted = TRY(tree_usage(directory(), name, deadline));
    *use = {counted.bytes, counted.is_complete};
    return {};
  });
  const DiskUse result = *use;
  ::munmap(shared, sizeof(DiskUse));
  if (!outcome) return fail(std::move(outcome).error());
  return result;
}

Result<Fd> DirectoryStore::open_drafts() {
  TRY_VOID(make_directories(path_ + "/drafts", 0700));
  return open_file(directory(), "drafts", O_RDONLY | O_DIRECTORY);
}

Result<DirectoryStore::Draft> DirectoryStore::make_draft() {
  // A shared lock on drafts/: abandoned_drafts() locks it exclusively, so it never sees a draft that is not locked yet.
  auto making = TRY(FileLock::wait(TRY(open_drafts()), FileLock::Mode::shared));
  Draft draft{random_name(), FileLock()};
  TRY_VOID(make_directory(making.fd(), draft.name, 0755));
  auto file = TRY(open_file(making.fd(), draft.name + "/lock", O_RDWR | O_CREAT, 0600));
  draft.lock = TRY(FileLock::try_lock(std::move(file), FileLock::Mode::exclusive));
  return draft;
}

Result<std::vector<DirectoryStore::Draft>> DirectoryStore::abandoned_drafts() {
  auto looking = TRY(FileLock::wait(TRY(open_drafts()), FileLock::Mode::exclusive));
  std::vector<Draft> drafts;
  for (const auto& name : TRY(list_directory(looking.fd(), "."))) {
    Draft draft{name, FileLock()};
    if (auto file = open_file(looking.fd(), name + "/lock", O_RDWR)) {
      auto lock = FileLock::try_lock(std::move(*file), FileLock::Mode::exclusive);
      if (!lock) continue;  // another process works on it
      draft.lock = std::move(*lock);
    }
    drafts.push_back(std::move(draft));
  }
  return drafts;
}

Result<std::string> DirectoryStore::begin_template(const std::string& name) {
  TRY_VOID(check_template_name(name));
  if (TRY(has_template(name))) {
    return fail(Error(fmt::format("template '{}' already exists", name))
                    .advise("change it with isolatectl template edit, or remove it first"));
  }
  auto draft = TRY(make_draft());
  TRY_VOID(make_directories(path_ + "/drafts/" + draft.name + "/generations", 0755));
  const auto to_fill = path_ + "/drafts/" + draft.name + "/" + TRY(begin_draft("drafts/" + draft.name));
  drafts_[to_fill] = std::move(draft);
  return to_fill;
}

Result<void> DirectoryStore::publish_template(const std::string& name, const std::string& to_fill,
                                              const std::string& origin) {
  const std::string draft = "drafts/" + drafts_.at(to_fill).name;
  auto file = TRY(open_file(directory(), draft + "/origin", O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY_VOID(write_all(file.get(), origin, "origin"));
  TRY_VOID(finish_draft(draft));
  TRY_VOID(make_directories(path_ + "/templates", 0700));
  auto renamed = rename_file(directory(), draft, directory(), "templates/" + name, RENAME_NOREPLACE);
  if (!renamed && renamed.error().code() == EEXIST) return fail(fmt::format("template '{}' already exists", name));
  if (!renamed) return renamed;
  drafts_.erase(to_fill);
  return {};
}

Result<void> DirectoryStore::discard_draft(const std::string& to_fill) {
  auto removed = remove("drafts", drafts_.at(to_fill).name);
  drafts_.erase(to_fill);
  return removed;
}

Result<void> DirectoryStore::remove_template(const std::string& name) {
  TRY_VOID(check_exists(name));
  TRY_VOID(make_directories(path_ + "/trash", 0700));
  const std::string trash = random_name();
  TRY_VOID(rename_file(directory(), "templates/" + name, directory(), "trash/" + trash));
  return remove("trash", trash);
}

Result<std::vector<std::string>> DirectoryStore::collect_leftovers() {
  std::vector<std::string> removed;
  const auto remove_left = [&](const std::string& parent, const std::string& name) -> Result<void> {
    TRY_VOID(remove(parent, name));
    removed.push_back("leftover of an interrupted command: " + parent + "/" + name);
    return {};
  };
  for (const auto& draft : TRY(abandoned_drafts())) TRY_VOID(remove_left("drafts", draft.name));
  auto trash = list_directory(directory(), "trash");
  if (!trash && trash.error().code() == ENOENT) return removed;
  for (const auto& name : TRY(std::move(trash))) TRY_VOID(remove_left("trash", name));
  return removed;
}

}  // namespace isolate
