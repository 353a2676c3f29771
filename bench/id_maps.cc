#include "id_maps.h"

#include <sched.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "linux/process.h"

namespace isolate::bench {
namespace {

std::vector<std::string> helper_argv(const char* program, pid_t pid, std::uint32_t own_id, std::uint32_t first,
                                     std::uint32_t count) {
  return {program,
          std::to_string(pid),
          "0",
          std::to_string(own_id),
          "1",
          "1",
          std::to_string(first),
          std::to_string(count)};
}

Result<void> wait_for_success(ChildProcess helper, const std::string& name) {
  const ExitStatus status = TRY(helper.wait());
  if (!status.success()) return fail(name + ": " + status.describe());
  return {};
}

}  // namespace

Result<Sample> run_map_helpers(MapHelpers which, std::uint32_t first_uid, std::uint32_t first_gid,
                               std::uint32_t count) {
  const auto holder = TRY(fork_child(CLONE_NEWUSER, [] {
    ::pause();
    return 0;
  }));
  const auto uid_argv = helper_argv("newuidmap", holder.pid(), ::getuid(), first_uid, count);
  const auto gid_argv = helper_argv("newgidmap", holder.pid(), ::getgid(), first_gid, count);

  const Stopwatch stopwatch;
  ChildProcess uid_helper;
  ChildProcess gid_helper;
  if (which != MapHelpers::newgidmap) uid_helper = TRY(spawn(uid_argv));
  if (which != MapHelpers::newuidmap) gid_helper = TRY(spawn(gid_argv));
  if (uid_helper.running()) TRY_VOID(wait_for_success(std::move(uid_helper), "newuidmap"));
  if (gid_helper.running()) TRY_VOID(wait_for_success(std::move(gid_helper), "newgidmap"));
  return stopwatch.elapsed();
}

}  // namespace isolate::bench
