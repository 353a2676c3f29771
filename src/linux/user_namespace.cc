#include "linux/user_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "base/trace.h"
#include "linux/file.h"
#include "linux/reporting_child.h"
#include "linux/userns_switches.h"

namespace isolate {
namespace {

bool sysctl_is(const char* path, std::string_view value) {
  auto text = read_file(path);
  return text && text->substr(0, text->find('\n')) == value;
}

Error with_advice(Error error) {
  if (sysctl_is("/proc/sys/user/max_user_namespaces", "0")) {
    return std::move(error).advise("user namespaces are switched off: sysctl user.max_user_namespaces is 0");
  }
  if (const auto name = switch_against_user_namespaces(); !name.empty()) {
    return std::move(error).advise(
        "user namespaces are forbidden to ordinary users: " + name +
        "; change that as root, or run a clone that the daemon isolated leases to members of the group isolate");
  }
  // The call may have asked for other namespaces too, and the error of fork_child says so.
  if (error.code() == ENOSPC) return error;
  if (const char* container = ::getenv("container");
      error.code() == EPERM && container != nullptr && std::string_view(container) == "isolate") {
    return std::move(error).advise(
        "this is a guest of isolate, whose seccomp filter refuses new user namespaces; start the outer run with "
        "--seccomp=tty");
  }
  if (error.code() == EPERM) {
    return std::move(error).advise(
        "user namespaces are not allowed here (a container's seccomp filter, or a chroot); members of the group "
        "isolate can run clones that the daemon isolated leases to them");
  }
  return error;
}

std::string map_text(const std::vector<IdMapEntry>& map) {
  std::string lines;
  for (const auto& entry : map) lines += fmt::format("{} {} {}\n", entry.inside, entry.outside, entry.count);
  return lines;
}

Result<void> write_proc(pid_t pid, const char* name, const std::string& content) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  auto file = TRY(open_file(AT_FDCWD, path, O_WRONLY));
  // The kernel accepts a map only as a single write.
  TRY(trace::check(::write(file.get(), content.data(), content.size()), "write", path));
  return {};
}

std::vector<std::string> map_command(const char* program, pid_t pid, const std::vector<IdMapEntry>& map) {
  std::vector<std::string> argv = {program, std::to_string(pid)};
  for (const auto& entry : map) {
    for (auto number : {entry.inside, entry.outside, entry.count}) argv.push_back(std::to_string(number));
  }
  return argv;
}

Result<ChildProcess> start_helper(const char* program, pid_t pid, const std::vector<IdMapEntry>& map,
                                  const Fd& errors) {
  auto helper = spawn(map_command(program, pid, map), {-1, -1, errors.get()});
  if (helper || helper.error().code() != ENOENT) return helper;
  return fail(
      fmt::format("{} is not installed; newuidmap and newgidmap are needed: install them (Debian: apt-get "
                  "install uidmap)",
                  program));
}

// Explains why newuidmap or newgidmap refused a map, as far as this process can find out. `said`: what they printed.
Error explain_refusal(const char* program, const ExitStatus& status, const std::string& said) {
  const auto entry = user_entry(::getuid());
  if (entry && entry->group != ::getgid()) {
    return Error(
        fmt::format("{} refuses a process whose group ({}) is not the user's primary group ({}): start isolate "
                    "without newgrp or sg; a group that binds need may be a supplementary one",
                    program, ::getgid(), entry->group));
  }
  const auto first_line = text::printable(said.substr(0, said.find('\n')));
  return Error(fmt::format("{} refused the id map ({}); see /etc/subuid and /etc/subgid", program,
                           first_line.empty() ? status.describe() : first_line));
}

Result<void> write_both_maps(pid_t pid, const IdMaps& maps) {
  TRY_VOID(write_proc(pid, "uid_map", map_text(maps.uid)));
  return write_proc(pid, "gid_map", map_text(maps.gid));
}

Result<ChildProcess> with_advice(Result<ChildProcess> child) {
  if (child) return child;
  return fail(with_advice(std::move(child).error().within("user namespace")));
}

}  // namespace

Result<void> drop_groups() {
  if (::setgroups(0, nullptr) != 0 && errno != EPERM) return fail(errno, "setgroups");
  return {};
}

Result<void> become_root(Groups groups) {
  const pid_t parent = ::getppid();
  if (groups == Groups::drop) TRY_VOID(drop_groups());
  TRY(trace::check(::setresgid(0, 0, 0), "setresgid", "0"));
  TRY(trace::check(::setresuid(0, 0, 0), "setresuid", "0"));
  // The change of ids cleared the parent-death signal, so set it again. The parent may have died in between.
  die_with_parent();
  if (::getppid() != parent) ::_exit(1);
  return {};
}

Result<PendingUserNamespace> PendingUserNamespace::start(const IdMaps& maps, MapWriter writer,
                                                         const ProcessLimit& processes) {
  PendingUserNamespace pending;
  // The child exists only to create the namespace; finish() opens a descriptor of the namespace and kills the child.
  pending.holder_ = TRY(with_advice(fork_namespace_holder(processes)));
  pending.pid_ = TRY(pending.holder_.pid_in_proc());
  if (writer == MapWriter::newuidmap) {
    // Start both at once: starting these two programs is the larger part of what a run costs an ordinary user.
    int ends[2];
    TRY(trace::check(::pipe2(ends, O_CLOEXEC), "pipe2", "newuidmap"));
    pending.helpers_errors_ = Fd(ends[0]);
    const Fd errors(ends[1]);
    pending.uid_helper_ = TRY(start_helper("newuidmap", pending.pid_, maps.uid, errors));
    pending.gid_helper_ = TRY(start_helper("newgidmap", pending.pid_, maps.gid, errors));
    return pending;
  }
  // With setgroups a process could drop a group to which a file's mode denies access (CVE-2014-8989).
  if (writer == MapWriter::self) TRY_VOID(write_proc(pending.pid_, "setgroups", "deny"));
  TRY_VOID(write_both_maps(pending.pid_, maps));
  return pending;
}

Result<Fd> PendingUserNamespace::finish() {
  if (uid_helper_.running()) {
    const auto uid_status = TRY(uid_helper_.wait());
    const auto gid_status = TRY(gid_helper_.wait());
    if (!uid_status.success() || !gid_status.success()) {
      const auto said = TRY(read_all(helpers_errors_.get()));
      return fail(uid_status.success() ? explain_refusal("newgidmap", gid_status, said)
                                       : explain_refusal("newuidmap", uid_status, said));
    }
  }
  auto descriptor = open_file(AT_FDCWD, fmt::format("/proc/{}/ns/user", pid_), O_RDONLY);
  holder_.signal(SIGKILL);
  return descriptor;
}

Result<Fd> make_user_namespace(const IdMaps& maps, MapWriter writer, const ProcessLimit& processes) {
  return TRY(PendingUserNamespace::start(maps, writer, processes)).finish();
}

namespace {

// Runs as id 0 of this process's user namespace. Creates a namespace below it, reports that, and stays in it until it
// is killed.
Result<void> become_root_below(std::uint64_t most_processes, const Fd& created) {
  TRY_VOID(become_root());
  // This process has a copy of the daemon's memory, and now has the ids of the owner of the namespace above. Being
  // dumpable would let that owner trace it.
  TRY(trace::check(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl", "not dumpable"));
  rlimit limit{};
  TRY(trace::check(::getrlimit(RLIMIT_NPROC, &limit), "getrlimit", "processes"));
  limit.rlim_cur = std::min(limit.rlim_max, static_cast<rlim_t>(most_processes));
  TRY(trace::check(::setrlimit(RLIMIT_NPROC, &limit), "setrlimit", "processes"));
  TRY(trace::check(::unshare(CLONE_NEWUSER), "unshare", "user namespace"));
  TRY_VOID(write_all(created.get(), "x", "user namespace"));
  ::pause();
  return {};
}

// Runs with root's ids, so that it may open the holder's files in /proc. Enters `above`, starts a process that creates
// a namespace below it (the holder), writes the maps, sends the holder's pid to `holder_pid`, and waits until the
// parent has opened the namespace.
Result<void> hold_namespace_below(int above, const IdMaps& maps, std::uint64_t most_processes, const Fd& holder_pid,
                                  const Fd& opened) {
  const pid_t parent = ::getppid();
  TRY(trace::check(::setns(above, CLONE_NEWUSER), "setns", "user namespace"));
  die_with_parent();  // entering the namespace has cleared the parent-death signal
  if (::getppid() != parent) return fail(ESRCH, "parent process");
  auto created = TRY(make_pipe("user namespace"));
  auto holder = TRY(ReportingChild::start([&] { return become_root_below(most_processes, created.write); }));
  created.write.reset();
  char byte = 0;
  if (::read(created.read.get(), &byte, 1) != 1) return holder.finish();
  TRY_VOID(write_both_maps(holder.process().pid(), maps));
  const pid_t pid = holder.process().pid();
  TRY_VOID(write_all(holder_pid.get(), {reinterpret_cast<const char*>(&pid), sizeof pid}, "user namespace"));
  [[maybe_unused]] const auto end = ::read(opened.get(), &byte, 1);  // until the parent closes its end or dies
  return {};
}

}  // namespace

Result<Fd> make_user_namespace_below(int above, const IdMaps& maps, std::uint64_t most_processes) {
  auto holder_pid = TRY(make_pipe("user namespace"));
  auto opened = TRY(make_pipe("user namespace"));
  auto child = TRY(ReportingChild::start([&] {
    opened.write.reset();
    return hold_namespace_below(above, maps, most_processes, holder_pid.write, opened.read);
  }));
  holder_pid.write.reset();
  pid_t pid = -1;
  Result<Fd> made = fail("user namespace: the process that creates it has ended");
  if (::read(holder_pid.read.get(), &pid, sizeof pid) == static_cast<ssize_t>(sizeof pid)) {
    made = open_file(AT_FDCWD, fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
  }
  opened.write.reset();
  TRY_VOID(child.finish());
  return made;
}

Result<ChildProcess> fork_to_execute_below(const std::function<int()>& body, std::uint64_t namespaces,
                                           const IdMaps& maps, const ProcessLimit& processes,
                                           const Adoption* adoption) {
  return with_advice(fork_to_execute_mapped(
      body, namespaces, processes,
      [&maps](const ChildProcess& child) -> Result<void> { return write_both_maps(TRY(child.pid_in_proc()), maps); },
      adoption));
}

Result<void> become_root_in(int user_namespace, Groups groups) {
  TRY(trace::check(::setns(user_namespace, CLONE_NEWUSER), "setns", "user namespace"));
  return become_root(groups);
}

Result<void> run_as_root_in(int user_namespace, const std::function<Result<void>()>& body) {
  if (user_namespace < 0) return body();
  auto child = TRY(ReportingChild::start([&]() -> Result<void> {
    TRY_VOID(become_root_in(user_namespace));
    return body();
  }));
  return child.finish();
}

}  // namespace isolate
