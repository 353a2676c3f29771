#include "store/subvolume.h"

#include <btrfsutil.h>
#include <endian.h>
#include <fmt/format.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <sys/ioctl.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/trace.h"
#include "linux/file.h"

namespace isolate {
namespace {

struct Subvolume {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;     // the id of the subvolume that contains it
  std::uint64_t directory = 0;  // the inode of its directory in that subvolume
  std::string name;
};

// Opens a directory by inode, with open_by_handle_at(2) and the handle that btrfs uses for directories: its path may be
// longer than the kernel accepts. Generation 0 matches any generation (btrfs_get_dentry() in the kernel).
Result<Fd> open_inode(int file_system, std::uint64_t subvolume, std::uint64_t inode) {
  constexpr int kBtrfsWithoutParent = 0x4d;
  struct Fid {
    std::uint64_t inode;
    std::uint64_t subvolume;
    std::uint32_t generation;
  } __attribute__((packed));
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(Fid)> buffer{};
  auto* handle = reinterpret_cast<file_handle*>(buffer.data());
  handle->handle_bytes = sizeof(Fid);
  handle->handle_type = kBtrfsWithoutParent;
  const Fid fid{inode, subvolume, 0};
  std::memcpy(handle->f_handle, &fid, sizeof fid);
  const int fd = ::open_by_handle_at(file_system, handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(errno, fmt::format("btrfs: open inode {} of subvolume {}", inode, subvolume));
  return Fd(fd);
}

// A read-only subvolume does not allow the removal of its entries.
Result<void> make_writable(int directory, std::uint64_t id) {
  std::uint64_t flags = 0;
  if (::ioctl(directory, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) != 0)
    return fail(errno, fmt::format("btrfs: flags of subvolume {}", id));
  if ((flags & BTRFS_SUBVOL_RDONLY) == 0) return {};
  flags &= ~BTRFS_SUBVOL_RDONLY;
  if (::ioctl(directory, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) != 0)
    return fail(errno, fmt::format("btrfs: make subvolume {} writable", id));
  return {};
}

// Appends the subvolumes directly inside `parent`, as listed in the root tree.
Result<void> add_children(int file_system, std::uint64_t parent, std::vector<Subvolume>* found) {
  btrfs_ioctl_search_args search{};
  search.key.tree_id = BTRFS_ROOT_TREE_OBJECTID;
  search.key.min_objectid = search.key.max_objectid = parent;
  search.key.min_type = search.key.max_type = BTRFS_ROOT_REF_KEY;
  search.key.max_offset = search.key.max_transid = UINT64_MAX;
  while (true) {
    search.key.nr_items = 4096;
    if (::ioctl(file_system, BTRFS_IOC_TREE_SEARCH, &search) != 0)
      return fail(errno, fmt::format("btrfs: list the subvolumes of subvolume {}", parent));
    if (search.key.nr_items == 0) return {};
    const char* at = search.buf;
    for (unsigned i = 0; i < search.key.nr_items; ++i) {
      btrfs_ioctl_search_header header{};
      std::memcpy(&header, at, sizeof header);
      at += sizeof header;
      btrfs_root_ref reference{};
      std::memcpy(&reference, at, sizeof reference);
      found->push_back({header.offset, parent, le64toh(reference.dirid),
                        std::string(at + sizeof reference, le16toh(reference.name_len))});
      at += header.len;
      search.key.min_offset = header.offset + 1;
    }
  }
}

// libbtrfsutil leaves the reason in errno, except for some errors of its own, where errno is 0.
Result<void> delete_one(int parent, const std::string& name) {
  const auto call = [&] { return ::btrfs_util_delete_subvolume_fd(parent, name.c_str(), 0); };
  auto error = call();
  if (error != BTRFS_UTIL_OK && errno == EPERM && clear_attributes(parent, name)) error = call();
  const int code = errno;
  trace::line(fmt::format("delete subvolume {}{}", name, error == BTRFS_UTIL_OK ? "" : " failed"));
  if (error == BTRFS_UTIL_OK || code == ENOENT) return {};
  return fail(code != 0 ? code : EIO, fmt::format("btrfs: {}: {}", btrfs_util_strerror(error), name));
}

Result<void> delete_all_in(int file_system, std::uint64_t top, Deadline deadline) {
  // A subvolume comes after the one that contains it, so deleting from the end deletes the innermost first.
  std::vector<Subvolume> found;
  TRY_VOID(add_children(file_system, top, &found));
  for (std::size_t i = 0; i < found.size() && !has_passed(deadline); ++i)
    TRY_VOID(add_children(file_system, found[i].id, &found));
  for (; !found.empty(); found.pop_back()) {
    if (has_passed(deadline)) return fail(ETIMEDOUT, fmt::format("btrfs: delete the subvolumes of subvolume {}", top));
    const auto& last = found.back();
    auto opened = open_inode(file_system, last.parent, last.directory);
    if (!opened && opened.error().code() == ESTALE) continue;  // deleted meanwhile
    const auto directory = TRY(std::move(opened));
    const auto around = TRY(open_inode(file_system, last.parent, BTRFS_FIRST_FREE_OBJECTID));
    TRY_VOID(make_writable(around.get(), last.parent));
    TRY_VOID(delete_one(directory.get(), last.name));
  }
  return {};
}

}  // namespace

Result<void> delete_subvolume(int parent, const std::string& name, Deadline deadline) {
  // Bounds the loop when a process keeps making subvolumes and there is no deadline.
  constexpr int kMostRounds = 100;
  Result<void> deleted;
  for (int round = 0; round < kMostRounds; ++round) {
    deleted = delete_one(parent, name);
    // The kernel refuses to delete a subvolume that contains others.
    if (deleted || deleted.error().code() != ENOTEMPTY) return deleted;
    const auto top = TRY(open_file(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    std::uint64_t id = 0;
    if (::btrfs_util_subvolume_id_fd(top.get(), &id) != BTRFS_UTIL_OK) return fail(errno, "btrfs: id of " + name);
    TRY_VOID(delete_all_in(top.get(), id, deadline));
  }
  return deleted;
}

}  // namespace isolate
