#include "store/btrfs_store.h"

#include <btrfsutil.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/trace.h"
#include "linux/file.h"
#include "store/subvolume.h"

namespace isolate {
namespace {

// libbtrfsutil leaves the reason in errno, except for some errors of its own, where errno is 0.
Result<void> check(btrfs_util_error error, const char* call, const std::string& subject) {
  const int code = errno;
  trace::line(fmt::format("{} {}{}", call, subject, error == BTRFS_UTIL_OK ? "" : " failed"));
  if (error == BTRFS_UTIL_OK) return {};
  return fail(code != 0 ? code : EIO, fmt::format("btrfs: {}: {}", btrfs_util_strerror(error), subject));
}

bool is_subvolume(const std::string& path) { return ::btrfs_util_is_subvolume(path.c_str()) == BTRFS_UTIL_OK; }

Result<void> make_snapshot(const std::string& source, const std::string& target, int flags) {
  return check(::btrfs_util_create_snapshot(source.c_str(), target.c_str(), flags, nullptr, nullptr), "snapshot",
               target + " of " + source);
}

}  // namespace

Result<BtrfsStore> BtrfsStore::open(const std::string& path, OwnerNamespace* owner, MissingStore missing) {
  if (!owner->caller().is_root()) return fail("only root can use a btrfs store; use an overlay store");
  auto directory = TRY(open_directory(path, *owner, missing));
  struct statfs status {};
  if (::fstatfs(directory.get(), &status) != 0) return fail(errno, path);
  if (status.f_type != BTRFS_SUPER_MAGIC) return fail(path + " is not on a btrfs file system");
  return BtrfsStore(path, owner, std::move(directory));
}

Result<Generation> BtrfsStore::newest_generation(const std::string& name) {
  const auto number = TRY(generation_numbers(name)).back();
  return Generation{name, number, {}, place(generation_path("templates/" + name, number))};
}

Result<void> BtrfsStore::make_clone(const Generation& generation, const std::string& clone_id) {
  const auto clone = place("clones/" + clone_id);
  auto made = make_snapshot(generation.snapshot, clone, 0);
  if (made || made.error().code() != ENOENT) return made;
  TRY_VOID(make_directories(place("clones"), 0700));
  return make_snapshot(generation.snapshot, clone, 0);
}

RootSource BtrfsStore::planned_root(const Generation& /*generation*/, const std::string& clone_id) const {
  return RootSource{{}, place("clones/" + clone_id)};
}

Result<std::string> BtrfsStore::begin_draft(const std::string& draft) {
  const auto tree = place(draft + "/tree");
  TRY_VOID(check(::btrfs_util_create_subvolume(tree.c_str(), 0, nullptr, nullptr), "create subvolume", tree));
  return std::string("tree");
}

Result<void> BtrfsStore::finish_draft(const std::string& draft) {
  TRY_VOID(freeze(draft + "/tree", draft, 1));
  return delete_below(draft, "tree", std::nullopt);
}

// syncfs makes the snapshot durable: btrfs commits it together with its content, so a crash leaves either all of it or
// nothing.
Result<void> BtrfsStore::freeze(const std::string& subvolume, const std::string& template_directory,
                                std::uint64_t number) {
  TRY_VOID(make_snapshot(place(subvolume), place(generation_path(template_directory, number)),
                         BTRFS_UTIL_CREATE_SNAPSHOT_READ_ONLY));
  if (::syncfs(directory()) != 0) return fail(errno, "sync " + path());
  return {};
}

Result<void> BtrfsStore::remove(const std::string& parent, const std::string& name, Deadline deadline) {
  const auto top = parent + "/" + name;
  if (is_subvolume(place(top))) return delete_below(parent, name, deadline);
  if (is_subvolume(place(top + "/tree"))) TRY_VOID(delete_below(top, "tree", deadline));
  auto generations = list_directory(directory(), top + "/generations");
  if (generations) {
    for (const auto& generation : *generations) TRY_VOID(remove(top + "/generations", generation, deadline));
  }
  return DirectoryStore::remove(parent, name, deadline);
}

Result<void> BtrfsStore::delete_below(const std::string& parent, const std::string& name, Deadline deadline) {
  const auto around = TRY(open_file(directory(), parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return delete_subvolume(around.get(), name, deadline);
}

Result<std::uint64_t> BtrfsStore::publish_clone(const Generation& base, const std::string& clone_id) {
  const auto newest = TRY(generation_numbers(base.template_name)).back();
  if (newest != base.number) return fail(EAGAIN, "template '" + base.template_name + "' was changed in the meantime");
  TRY_VOID(freeze("clones/" + clone_id, "templates/" + base.template_name, newest + 1));
  return newest + 1;
}

Result<std::uint64_t> BtrfsStore::snapshot(const std::string& name) {
  const auto newest = TRY(generation_numbers(name)).back();
  TRY_VOID(freeze(generation_path("templates/" + name, newest), "templates/" + name, newest + 1));
  return newest + 1;
}

Result<std::vector<std::string>> BtrfsStore::collect_garbage(const std::string& name,
                                                             const std::vector<std::uint64_t>& used) {
  std::vector<std::string> removed;
  const auto numbers = TRY(generation_numbers(name));
  for (const auto number : numbers) {
    if (number == numbers.back() || std::find(used.begin(), used.end(), number) != used.end()) continue;
    TRY_VOID(remove("templates/" + name + "/generations", std::to_string(number), std::nullopt));
    removed.push_back(fmt::format("generation {} of template {}", number, name));
  }
  return removed;
}

}  // namespace isolate
