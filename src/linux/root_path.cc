#include "linux/root_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

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
  // EAGAIN: a rename raced with a ".." of the path (openat2(2)). A few more attempts succeed.
  for (int attempt = 0; attempt < 16; ++attempt) {
    fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return Fd(static_cast<int>(TRY(trace::check(fd, "openat2", path))));
}

}  // namespace

Result<Fd> open(int root, const std::string& path, int flags) { return open_existing(root, path, flags); }

Result<Fd> regular_file(int root, const std::string& path) {
  const auto found = TRY(open_existing(root, path, O_PATH));
  struct stat status {};
  TRY(trace::check(::fstat(found.get(), &status), "fstat", path));
  if (!S_ISREG(status.st_mode)) return fail(EINVAL, path + " is not a regular file");
  // O_NONBLOCK: a process that holds a lease on the file (fcntl(2)) can't make this process wait.
  const auto name = "/proc/self/fd/" + std::to_string(found.get());
  const int file = ::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  return Fd(static_cast<int>(TRY(trace::check(file, "open", path))));
}

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
        // mkdir says that the name exists, but it can't be opened: it is a dangling symbolic link.
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
  const bool is_missing = !existing && (existing.error().code() == ENOENT || existing.error().code() == ELOOP);
  if (!is_missing || !create) return existing;
  const auto slash = path.rfind('/');
  auto parent = TRY(directory(root, slash == std::string::npos ? "/" : path.substr(0, slash + 1), true));
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  Fd made(::openat(parent.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!made && errno != EEXIST) return fail(errno, "create " + path);
  if (made) return open_existing(root, path, O_PATH);
  Fd link(::openat(parent.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!link) return fail(errno, "open " + path);
  return link;
}

Result<Fd> directory_in_place_of_link(int root, const std::string& path) {
  const auto end = path.find_last_not_of('/');
  const auto slash = path.rfind('/', end);
  const std::string name = path.substr(slash + 1, end - slash);
  const auto parent = TRY(directory(root, path.substr(0, slash + 1), true));
  struct stat status {};
  if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return fail(errno, "stat " + path);
  if (!S_ISLNK(status.st_mode) || open_existing(root, path, O_PATH)) return fail(ENOTDIR, path);
  if (::unlinkat(parent.get(), name.c_str(), 0) != 0) return fail(errno, "remove the link " + path);
  if (::mkdirat(parent.get(), name.c_str(), 0755) != 0) return fail(errno, "mkdir " + path);
  return open_existing(root, path, O_PATH | O_DIRECTORY);
}

std::string first_non_directory(int root, const std::string& path) {
  std::string so_far;
  for (const auto& name : text::split(path, '/')) {
    if (name.empty()) continue;
    so_far += "/" + name;
    if (auto opened = open_existing(root, so_far, O_PATH | O_DIRECTORY); !opened) {
      return opened.error().code() == ENOTDIR ? so_far : "";
    }
  }
  return "";
}

}  // namespace isolate::root_path
