#include "floor.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace isolate::bench {
namespace {

// The time namespace is left out, because neither bwrap nor isolate makes one.
constexpr int kNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

// Everything that the child needs. It is prepared before the child exists, because the child shares the parent's memory
// until its exec and must not allocate.
struct Plan {
  bool user_namespace = false;
  bool overlay = false;
  std::string root;
  std::string mount_point;
  std::string clone;
  std::string upper;
  std::string work;
  std::string overlay_options;
  std::string uid_map;
  std::string gid_map;
  const char* failed_step = nullptr;
  int failed_errno = 0;
};

Plan make_plan(const Floor& floor) {
  Plan plan;
  plan.user_namespace = floor.user_namespace;
  plan.overlay = floor.overlay;
  plan.root = floor.root;
  plan.mount_point = floor.scratch + "/root";
  plan.clone = floor.scratch + "/clone";
  plan.upper = plan.clone + "/upper";
  plan.work = plan.clone + "/work";
  // Without "volatile", unmounting the overlay would sync the whole file system below it.
  plan.overlay_options =
      "userxattr,volatile,lowerdir=" + plan.root + ",upperdir=" + plan.upper + ",workdir=" + plan.work;
  plan.uid_map = "0 " + std::to_string(::geteuid()) + " 1\n";
  plan.gid_map = "0 " + std::to_string(::getegid()) + " 1\n";
  return plan;
}

bool step(Plan* plan, const char* name, long result) {
  if (result >= 0) return true;
  plan->failed_step = name;
  plan->failed_errno = errno;
  return false;
}

bool write_text(Plan* plan, const char* path, const char* text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool done = step(plan, path, file) && step(plan, path, ::write(file, text, std::strlen(text)));
  if (file >= 0) ::close(file);
  return done;
}

bool map_ids(Plan* plan) {
  return write_text(plan, "/proc/self/setgroups", "deny") &&
         write_text(plan, "/proc/self/gid_map", plan->gid_map.c_str()) &&
         write_text(plan, "/proc/self/uid_map", plan->uid_map.c_str());
}

bool mount_root(Plan* plan) {
  if (!step(plan, "make mounts private", ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr))) return false;
  const char* target = plan->mount_point.c_str();
  if (plan->overlay) {
    return step(plan, "mount overlay", ::mount("overlay", target, "overlay", 0, plan->overlay_options.c_str()));
  }
  return step(plan, "bind the root", ::mount(plan->root.c_str(), target, nullptr, MS_BIND, nullptr));
}

bool enter_root(Plan* plan) {
  return step(plan, "chdir to the root", ::chdir(plan->mount_point.c_str())) &&
         step(plan, "mount /proc", ::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr)) &&
         step(plan, "mount /tmp", ::mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, nullptr)) &&
         step(plan, "pivot_root", ::syscall(SYS_pivot_root, ".", ".")) &&
         step(plan, "detach the old root", ::umount2(".", MNT_DETACH)) && step(plan, "chdir", ::chdir("/"));
}

int child_main(void* argument) {
  auto* plan = static_cast<Plan*>(argument);
  const bool ready = (!plan->user_namespace || map_ids(plan)) && mount_root(plan) && enter_root(plan);
  if (!ready) ::_exit(1);
  char name[] = "true";
  std::array<char*, 2> argv = {name, nullptr};
  std::array<char*, 1> environment = {nullptr};
  step(plan, "exec /bin/true", ::execve("/bin/true", argv.data(), environment.data()));
  ::_exit(1);
}

// Like vfork(2): the kernel copies no page tables, and the parent continues when the child has called exec.
pid_t start_child(Plan* plan) {
  alignas(16) static std::array<char, 65536> stack;
  const int flags = kNamespaces | (plan->user_namespace ? CLONE_NEWUSER : 0) | CLONE_VM | CLONE_VFORK | SIGCHLD;
  return ::clone(child_main, stack.data() + stack.size(), flags, plan);
}

bool make_clone(Plan* plan) {
  return step(plan, "mkdir clone", ::mkdir(plan->clone.c_str(), 0755)) &&
         step(plan, "mkdir upper", ::mkdir(plan->upper.c_str(), 0755)) &&
         step(plan, "mkdir work", ::mkdir(plan->work.c_str(), 0755));
}

// The directories and the file that the kernel makes in the work directory of a volatile overlay, topmost first.
constexpr std::array kMadeByKernel = {"work", "work/incompat", "work/incompat/volatile",
                                      "work/incompat/volatile/dirty"};

bool remove_clone(Plan* plan) {
  for (const char* path : kMadeByKernel) {  // the kernel makes them without any permissions
    if (!step(plan, path, ::chmod((plan->work + "/" + path).c_str(), 0700))) return false;
  }
  for (auto path = kMadeByKernel.rbegin(); path != kMadeByKernel.rend(); ++path) {
    if (!step(plan, *path, std::remove((plan->work + "/" + *path).c_str()))) return false;
  }
  return step(plan, "remove work", ::rmdir(plan->work.c_str())) &&
         step(plan, "remove upper", ::rmdir(plan->upper.c_str())) &&
         step(plan, "remove clone", ::rmdir(plan->clone.c_str()));
}

bool run_child(Plan* plan) {
  const pid_t child = start_child(plan);
  if (!step(plan, "clone", child)) return false;
  int status = 0;
  if (!step(plan, "wait for /bin/true", ::waitpid(child, &status, 0))) return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  if (plan->failed_step == nullptr) plan->failed_step = "/bin/true failed";
  return false;
}

}  // namespace

Result<Sample> run_floor(const Floor& floor) {
  Plan plan = make_plan(floor);
  if (::mkdir(plan.mount_point.c_str(), 0755) != 0 && errno != EEXIST) return fail(errno, "mkdir " + plan.mount_point);

  const Stopwatch stopwatch;
  const bool done = (!plan.overlay || make_clone(&plan)) && run_child(&plan) && (!plan.overlay || remove_clone(&plan));
  const Sample sample = stopwatch.elapsed();

  if (!done) return fail(plan.failed_errno, std::string("floor: ") + plan.failed_step);
  return sample;
}

}  // namespace isolate::bench
