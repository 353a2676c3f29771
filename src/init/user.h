// The user as whom a command runs when it is not to be the guest's root.
#pragma once

#include "wire/init_protocol.h"

namespace isolate::init {

// Removes all capabilities that are not in `bounding` from the bounding set, and gives up all that are not in `own`.
// Inheritable and ambient capabilities are all given up, because they would survive a change of user in the guest
// (CVE-2022-24769). Returns false if the kernel refuses.
bool limit_capabilities(unsigned long long bounding, unsigned long long own);

// The capability that isolate-init needs to make such a namespace: since Linux 5.12 only a process with CAP_SETFCAP may
// map id 0 of its own namespace into a new one.
unsigned long long capabilities_to_become_user();

// Enters a new user namespace, in which the guest's root is user `user_id` of group `group_id` and has no capabilities.
// The command can't get any by executing a program either. Call it in the command's process. Returns 0 or errno.
int become_user(const protocol::Setup& setup);

}  // namespace isolate::init
