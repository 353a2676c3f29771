#include "linux/inherited_state.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "linux/file.h"

namespace isolate {
namespace {

class State {
 public:
  template <typename... Values>
  void add(const char* name, const Values&... values) {
    text_ += name;
    ((text_ += fmt::format(" {}", values)), ...);
    text_ += '\n';
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_ids(State* state) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  ::getresuid(&users[0], &users[1], &users[2]);
  ::getresgid(&groups[0], &groups[1], &groups[2]);
  state->add("users", users[0], users[1], users[2]);
  state->add("groups", groups[0], groups[1], groups[2]);
  std::vector<gid_t> others(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  const auto count = static_cast<int>(others.size());
  if (count > 0 && ::getgroups(count, others.data()) != count) others.clear();
  for (const auto group : others) state->add("group", group);
}

void add_capabilities(State* state) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  ::syscall(SYS_capget, &header, sets.data());
  for (const auto& set : sets) state->add("capabilities", set.effective, set.permitted, set.inheritable);
  std::string bounding;
  std::string ambient;
  for (unsigned long number = 0; number < 64; ++number) {
    const int is_bounding = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (is_bounding < 0) break;
    bounding += is_bounding == 1 ? '1' : '0';
    ambient += ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0) == 1 ? '1' : '0';
  }
  state->add("bounding", bounding);
  state->add("ambient", ambient);
  state->add("securebits", ::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
  state->add("no_new_privs", ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  state->add("seccomp", ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

void add_limits(State* state) {
  for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
    rlimit limit{};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
    state->add("limit", limit.rlim_cur, limit.rlim_max);
  }
}

void add_scheduling(State* state) {
  constexpr int kProcess = 1;  // IOPRIO_WHO_PROCESS
  sched_param parameters{};
  ::sched_getparam(0, &parameters);
  state->add("scheduling", ::sched_getscheduler(0), parameters.sched_priority, ::getpriority(PRIO_PROCESS, 0),
             ::syscall(SYS_ioprio_get, kProcess, 0), ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0),
             ::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  std::array<unsigned long, 128> processors{};
  ::syscall(SYS_sched_getaffinity, 0, sizeof processors, processors.data());
  const auto last = std::find_if(processors.rbegin(), processors.rend(), [](auto word) { return word != 0; });
  for (auto word = processors.begin(); word != last.base(); ++word) state->add("processors", *word);
  int policy = 0;
  std::array<unsigned long, 16> nodes{};
  ::syscall(SYS_get_mempolicy, &policy, nodes.data(), sizeof nodes * 8, nullptr, 0);
  state->add("memory", policy, nodes[0]);
}

void add_places(State* state) {
  for (const auto* name : {"cgroup", "ipc", "mnt", "net", "pid_for_children", "time_for_children", "user", "uts"}) {
    struct stat status {};
    ::stat(fmt::format("/proc/self/ns/{}", name).c_str(), &status);
    state->add(name, status.st_ino);
  }
  struct stat root {};
  ::stat("/", &root);
  state->add("root", root.st_dev, root.st_ino);
}

}  // namespace

std::string inherited_state() {
  State state;
  add_ids(&state);
  add_capabilities(&state);
  add_limits(&state);
  add_scheduling(&state);
  add_places(&state);
  constexpr unsigned long kOnlyRead = 0xffffffff;
  state.add("personality", ::personality(kOnlyRead));
  for (const auto* file : {"cgroup", "oom_score_adj", "attr/current", "coredump_filter", "loginuid"}) {
    state.add(file, read_file(fmt::format("/proc/self/{}", file)).value_or("-"));
  }
  return state.take();
}

}  // namespace isolate
