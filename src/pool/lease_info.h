// The content of a clone's state file, mainly for people (isolatectl ps). isolate itself relies on it only to decide
// which generations garbage collection keeps, whether a fresh clone belongs to the newest generation and this boot, and
// whether the clone of an interrupted edit is kept.
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
  std::int64_t pid = 0;    // of the isolate that holds the lease
  std::int64_t since = 0;  // seconds since 1970
  std::uint64_t generation = 0;
  std::uint64_t user_namespace = 0;  // inode number of the user namespace that the daemon made for the lease; 0: none
  std::string boot;                  // fresh clones: the kernel's boot id when the clone was made
  bool edit = false;                 // the clone contains changes for a new generation of the template
  std::int64_t set_aside = 0;  // used clones whose removal took too long: when it was tried last, in seconds since 1970
  bool waits = false;          // a warm guest that no run has taken yet
  std::uint64_t guest_namespace = 0;  // the same for the guest's own user namespace, if the daemon made one
};

std::string to_text(const LeaseInfo& info);
// Fields that are missing or malformed stay empty.
LeaseInfo lease_info_from(const std::string& text);

}  // namespace isolate
