#include "linux/owner_shift.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <set>

#include "linux/file.h"

namespace isolate {
namespace {

class OwnerShift {
 public:
  explicit OwnerShift(unsigned shift) : shift_(shift) {}

  Result<void> tree(int directory, const std::string& name) {
    const auto status = TRY(status_of(directory, name, AT_SYMLINK_NOFOLLOW));
    if (S_ISDIR(status.st_mode)) {
      const auto fd = TRY(open_file(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      for (const auto& entry : TRY(list_directory(fd.get(), "."))) TRY_VOID(tree(fd.get(), entry));
    } else if (status.st_nlink > 1 && !moved_.insert(status.st_ino).second) {
      return {};  // moved under another of its names
    }
    return one(directory, name, status);
  }

 private:
  Result<void> one(int directory, const std::string& name, const struct stat& status) const {
    // There is no lgetxattr for a name below a descriptor.
    const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
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
