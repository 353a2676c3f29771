#include "linux/capability.h"

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "base/text.h"

namespace isolate {
namespace {

// Indexed by the capability's number (linux/capability.h of Linux 6.1).
constexpr std::array<std::string_view, 41> kNames = {"CHOWN",
                                                     "DAC_OVERRIDE",
                                                     "DAC_READ_SEARCH",
                                                     "FOWNER",
                                                     "FSETID",
                                                     "KILL",
                                                     "SETGID",
                                                     "SETUID",
                                                     "SETPCAP",
                                                     "LINUX_IMMUTABLE",
                                                     "NET_BIND_SERVICE",
                                                     "NET_BROADCAST",
                                                     "NET_ADMIN",
                                                     "NET_RAW",
                                                     "IPC_LOCK",
                                                     "IPC_OWNER",
                                                     "SYS_MODULE",
                                                     "SYS_RAWIO",
                                                     "SYS_CHROOT",
                                                     "SYS_PTRACE",
                                                     "SYS_PACCT",
                                                     "SYS_ADMIN",
                                                     "SYS_BOOT",
                                                     "SYS_NICE",
                                                     "SYS_RESOURCE",
                                                     "SYS_TIME",
                                                     "SYS_TTY_CONFIG",
                                                     "MKNOD",
                                                     "LEASE",
                                                     "AUDIT_WRITE",
                                                     "AUDIT_CONTROL",
                                                     "SETFCAP",
                                                     "MAC_OVERRIDE",
                                                     "MAC_ADMIN",
                                                     "SYSLOG",
                                                     "WAKE_ALARM",
                                                     "BLOCK_SUSPEND",
                                                     "AUDIT_READ",
                                                     "PERFMON",
                                                     "BPF",
                                                     "CHECKPOINT_RESTORE"};
static_assert(kNames.size() == CAP_LAST_CAP + 1, "the table does not match linux/capability.h");

}  // namespace

CapabilitySet CapabilitySet::all() {
  CapabilitySet set;
  set.bits_ = (std::uint64_t{1} << kNames.size()) - 1;
  return set;
}

CapabilitySet CapabilitySet::docker_default() {
  CapabilitySet set;
  for (int number :
       {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FSETID, CAP_FOWNER, CAP_MKNOD, CAP_NET_RAW, CAP_SETGID, CAP_SETUID,
        CAP_SETFCAP, CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL, CAP_AUDIT_WRITE}) {
    set.bits_ |= std::uint64_t{1} << number;
  }
  return set;
}

Result<CapabilitySet> CapabilitySet::parse(std::string_view list) {
  CapabilitySet set;
  for (const auto& part : text::split(list, ',')) {
    std::string name = part;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(::toupper(c)); });
    if (name.starts_with("CAP_")) name.erase(0, 4);
    if (name == "ALL") {
      set.add(all());
      continue;
    }
    const auto* found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return fail("unknown capability '" + text::printable(part) + "'; see capabilities(7)");
    set.bits_ |= std::uint64_t{1} << (found - kNames.begin());
  }
  return set;
}

std::vector<std::string> CapabilitySet::names() const {
  std::vector<std::string> result;
  for (std::size_t number = 0; number < kNames.size(); ++number) {
    if (has(static_cast<int>(number))) result.push_back("CAP_" + std::string(kNames[number]));
  }
  return result;
}

}  // namespace isolate
