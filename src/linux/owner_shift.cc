#include "linux/owner_shift.h"

#include <errno.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "linux/file.h"

namespace isolate {
namespace {

// A POSIX ACL as the kernel returns it (linux/posix_acl_xattr.h): a version of 4 bytes, then entries of 8 bytes.
constexpr std::size_t kListHeader = 4;
constexpr std::size_t kListEntry = 8;
constexpr std::size_t kIdInEntry = 4;
constexpr std::uint16_t kNamedUser = 2;
constexpr std::uint16_t kNamedGroup = 8;

// Returns the ACL with `shift` added to the ids of named users and groups. The kernel shows an id that this namespace
// does not map as -1. Such an entry can't be written back, and grants nothing to anybody inside, so it is left out.
std::vector<char> moved_list(const std::vector<char>& list, unsigned shift) {
  std::vector<char> moved(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(list.size(), kListHeader)));
  for (auto at = kListHeader; at + kListEntry <= list.size(); at += kListEntry) {
    std::array<char, kListEntry> entry{};
    std::memcpy(entry.data(), list.data() + at, kListEntry);
    std::uint16_t tag = 0;
    std::uint32_t id = 0;
    std::memcpy(&tag, entry.data(), sizeof tag);
    std::memcpy(&id, entry.data() + kIdInEntry, sizeof id);
    if (tag == kNamedUser || tag == kNamedGroup) {
      if (id == UINT32_MAX) continue;
      id += shift;
      std::memcpy(entry.data() + kIdInEntry, &id, sizeof id);
    }
    moved.insert(moved.end(), entry.begin(), entry.end());
  }
  return moved;
}

Result<void> shift_access_list(const std::string& path, const char* attribute, unsigned shift) {
  const ssize_t size = ::lgetxattr(path.c_str(), attribute, nullptr, 0);
  if (size <= 0) return {};  // no ACL, or a file system without ACLs
  std::vector<char> list(static_cast<std::size_t>(size));
  const ssize_t got = ::lgetxattr(path.c_str(), attribute, list.data(), list.size());
  if (got != size) return fail(got < 0 ? errno : EAGAIN, "access list of " + path);
  const auto moved = moved_list(list, shift);
  if (::lsetxattr(path.c_str(), attribute, moved.data(), moved.size(), 0) == 0) return {};
  return fail(errno, "set access list of " + path);
}

class OwnerShift {
 public:
  explicit OwnerShift(unsigned shift) : shift_(shift) {}

  Result<void> tree(int directory, const std::string& name) {
    const auto status = TRY(status_of(directory, name, AT_SYMLINK_NOFOLLOW));
    if (S_ISDIR(status.st_mode)) {
      const auto fd = TRY(open_file(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      for (const auto& entry : TRY(list_directory(fd.get(), "."))) TRY_VOID(tree(fd.get(), entry));
    } else if (status.st_nlink > 1 && !moved_.insert(status.st_ino).second) {
      return {};  // already shifted through another of its hard links
    }
    return one(directory, name, status);
  }

 private:
  Result<void> one(int directory, const std::string& name, const struct stat& status) const {
    // There is no lgetxattr for a name relative to a descriptor.
    const auto path = directory == AT_FDCWD ? name : "/proc/self/fd/" + std::to_string(directory) + "/" + name;
    const bool is_file = S_ISREG(status.st_mode);
    std::array<char, 64> capability{};
    const ssize_t size =
        is_file ? ::lgetxattr(path.c_str(), "security.capability", capability.data(), capability.size()) : -1;
    if (::fchownat(directory, name.c_str(), status.st_uid + shift_, status.st_gid + shift_, AT_SYMLINK_NOFOLLOW) != 0) {
      return fail(errno, "chown " + name);
    }
    if (is_file && (status.st_mode & 06000) != 0 &&
        ::fchmodat(directory, name.c_str(), status.st_mode & 07777, 0) != 0) {
      return fail(errno, "chmod " + name);
    }
    if (size > 0 &&
        ::lsetxattr(path.c_str(), "security.capability", capability.data(), static_cast<std::size_t>(size), 0) != 0) {
      return fail(errno, "set capabilities of " + name);
    }
    if (S_ISLNK(status.st_mode)) return {};
    TRY_VOID(shift_access_list(path, "system.posix_acl_access", shift_));
    if (S_ISDIR(status.st_mode)) TRY_VOID(shift_access_list(path, "system.posix_acl_default", shift_));
    return {};
  }

  unsigned shift_;
  std::set<ino_t> moved_;  // files with more than one name
};

}  // namespace

Result<void> shift_owners(int directory, const std::string& name, unsigned shift) {
  return OwnerShift(shift).tree(directory, name);
}

}  // namespace isolate
