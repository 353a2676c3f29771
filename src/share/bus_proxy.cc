#include "share/bus_proxy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "base/environment.h"
#include "linux/file.h"
#include "linux/signal_reset.h"

namespace isolate {
namespace {

constexpr const char* kProgram = "xdg-dbus-proxy";
constexpr const char* kSocketName = "bus";
constexpr int kPatience = 5000;  // ms, until the program listens
// The program's descriptors.
constexpr int kDirectory = 3;
constexpr int kLife = 4;
constexpr int kBus = 5;

// Gives the program these descriptors, `bus` only if it is not empty, and the standard ones, which are /dev/null here.
int execute(const std::vector<std::string>& argv, const Fd& directory, const Fd& life, const Fd& bus) {
  // Copies above these numbers, because one may be in the place of the other.
  const int copy = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, kBus + 1);
  const int copy_of_life = ::fcntl(life.get(), F_DUPFD_CLOEXEC, kBus + 1);
  const int copy_of_bus = bus ? ::fcntl(bus.get(), F_DUPFD_CLOEXEC, kBus + 1) : -1;
  if (::dup2(copy, kDirectory) < 0 || ::dup2(copy_of_life, kLife) < 0) return 1;
  if (bus && ::dup2(copy_of_bus, kBus) < 0) return 1;
  ::syscall(SYS_close_range, bus ? kBus + 1 : kBus, ~0U, 0);
  reset_signals();
  auto arguments = pointer_array(argv);
  auto environment = pointer_array({});
  ::execve(arguments[0], arguments.data(), environment.data());
  return 1;
}

// Whether this process can make files there. In a tmpfs it can't (EOVERFLOW) if the user namespace that owns the tmpfs
// does not map this process's id, whatever the directory's mode is.
bool can_make_files(const Fd& directory) {
  constexpr const char* kName = "check";
  return ::mkdirat(directory.get(), kName, 0700) == 0 && ::unlinkat(directory.get(), kName, AT_REMOVEDIR) == 0;
}

// A directory that only the caller may enter. It is removed before the guest starts.
class PrivateDirectory {
 public:
  static Result<PrivateDirectory> make() {
    const auto runtime = environment_variable("XDG_RUNTIME_DIR");
    const std::string parent = runtime.starts_with('/') ? runtime : "/tmp";
    PrivateDirectory directory;
    std::string path = parent + "/isolate-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return fail(errno, "mkdtemp in " + parent);
    directory.path_ = std::move(path);
    directory.opened_ = TRY(open_file(AT_FDCWD, directory.path_, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    return directory;
  }
  PrivateDirectory(PrivateDirectory&& other) noexcept
      : path_(std::exchange(other.path_, {})), opened_(std::move(other.opened_)) {}
  PrivateDirectory& operator=(PrivateDirectory&&) = delete;
  ~PrivateDirectory() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }
  const Fd& opened() const { return opened_; }

 private:
  PrivateDirectory() = default;
  std::string path_;
  Fd opened_;
};

// Waits until the program is ready, which it reports with a byte.
Result<void> wait_for_start(const Fd& life, ChildProcess* child) {
  const auto has_news = TRY(wait_readable(life.get(), kPatience));
  char byte = 0;
  if (has_news && ::read(life.get(), &byte, 1) == 1) return {};
  if (!has_news) return fail(fmt::format("{} is not ready after {} seconds", kProgram, kPatience / 1000));
  return fail(fmt::format("{} ended with {} before it was ready", kProgram, TRY(child->wait()).describe()));
}

}  // namespace

Result<std::string> find_bus_proxy() {
  // PATH is not searched, because the caller's environment must not choose a program that root executes.
  auto path = first_executable({"/usr/bin/xdg-dbus-proxy", "/usr/local/bin/xdg-dbus-proxy"});
  if (!path.empty()) return path;
  return fail(
      fmt::format("{0} is not installed; it keeps a guest from names that no rule allows; install it (Debian: apt-get "
                  "install {0})",
                  kProgram));
}

Result<BusProxy> BusProxy::start(const std::vector<std::string>& arguments, const Fd& directory, const Fd& bus) {
  std::optional<PrivateDirectory> made;
  if (!can_make_files(directory)) made.emplace(TRY(PrivateDirectory::make()));
  const auto& place = made ? made->opened() : directory;
  auto life = TRY(make_pipe(kProgram));
  std::vector<std::string> argv = {TRY(find_bus_proxy()), fmt::format("--fd={}", kLife)};
  // This name leads to the socket that was checked, even if another socket is at its path by then.
  argv.push_back(bus ? fmt::format("unix:path=/proc/self/fd/{}", kBus) : arguments.at(0));
  argv.push_back(fmt::format("/proc/self/fd/{}/{}", kDirectory, kSocketName));
  argv.emplace_back("--filter");
  argv.insert(argv.end(), arguments.begin() + 1, arguments.end());
  auto child = TRY(fork_child(0, [&] { return execute(argv, place, life.write, bus); }));
  life.write.reset();
  auto started = wait_for_start(life.read, &child);
  auto socket = open_file(place.get(), kSocketName, O_PATH | O_NOFOLLOW);
  ::unlinkat(place.get(), kSocketName, 0);
  TRY_VOID(std::move(started));
  return BusProxy(std::move(child), std::move(life.read), TRY(std::move(socket)));
}

// connect(2) finds a socket by the inode that the path leads to, so this works although the socket has no name any
// more.
std::string BusProxy::socket() const { return fmt::format("/proc/self/fd/{}", socket_.get()); }

}  // namespace isolate
