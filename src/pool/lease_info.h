// What is written into the state file of a clone, for people to read (isolatectl ps). It decides only which generation
// garbage collection spares, whether a fresh clone is of the newest one and of this boot, and that the clone of an edit
// is kept when its run ends early.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace isolate {

struct LeaseInfo {
  std::string clone_id;
  std::string template_name;
  std::string engine;
  std::string user;
  std::int64_t pid = 0;    // of isolate
  std::int64_t since = 0;  // seconds since 1970
  std::uint64_t generation = 0;
  std::uint64_t user_namespace = 0;   // inode number of the one that the daemon has made for it; 0: none
  std::string boot;                   // of a fresh clone: the kernel's boot id when it was made
  bool edit = false;                  // the clone holds changes that are to become a generation of the template
  std::int64_t set_aside = 0;         // of a used clone whose removal took too long: the last time, seconds since 1970
  std::uint64_t guest_namespace = 0;  // like user_namespace, that of the guest alone, if the daemon has made one
};

std::string to_text(const LeaseInfo& info);
// What can't be read stays empty.
LeaseInfo lease_info_from(const std::string& text);

// The kernel's id of this boot.
Result<std::string> boot_id();

}  // namespace isolate
