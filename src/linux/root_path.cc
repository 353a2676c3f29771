#include "linux/root_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "base/trace.h"

namespace isolate::root_path {
namespace {

Result<Fd> open_existing(int root, const std::string& path, int flags, mode_t mode = 0) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  // EAGAIN: a rename elsewhere raced with a ".." of the path (openat2(2)); a few more tries settle it.
  for (int attempt = 0; attempt < 16; ++attempt) {
    fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return Fd(static_cast<int>(TRY(trace::check(fd, "openat2", path))));
}

}  // namespace

Result<Fd> open(int root, const std::string& path, int flags) { return open_existing(root, path, flags); }

Result<Fd> directory(int root, const std::string& path, bool create, mode_t mode) {
  constexpr int kFlags = O_PATH | O_DIRECTORY;
  auto whole = open_existing(root, path, kFlags);
  if (whole || whole.error().code() != ENOENT || !create) return whole;

  Fd parent = TRY(open_existing(root, "/", kFlags));
  std::string so_far;
  for (const auto& name : text::split(path, '/')) {
    if (name.empty() || name == ".") continue;
    so_far += "/" + name;
    auto next = open_existing(root, so_far, kFlags);
    if (!next && next.error().code() == ENOENT) {
      if (::mkdirat(parent.get(), name.c_str(), mode) != 0) {
        if (errno != EEXIST) return fail(errno, "mkdir " + so_far);
        // It exists, yet does not lead to a directory: a link to nowhere.
        return fail("'" + text::printable(so_far) + "' in the root is a symbolic link that leads nowhere inside it");
      }
      next = open_existing(root, so_far, kFlags);
    }
    parent = TRY(std::move(next));
  }
  return parent;
}

Result<Fd> file(int root, const std::string& path, bool create) {
  auto existing = open_existing(root, path, O_PATH);
  if (existing || existing.error().code() != ENOENT || !create) return existing;
  const auto slash = path.rfind('/');
  auto parent = TRY(directory(root, slash == std::string::npos ? "/" : path.substr(0, slash + 1), true));
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  Fd made(::openat(parent.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!made) {
    if (errno == EEXIST)
      return fail("'" + text::printable(path) + "' in the root is a symbolic link that leads nowhere inside it");
    return fail(errno, "create " + path);
  }
  return open_existing(root, path, O_PATH);
}

}  // namespace isolate::root_path
