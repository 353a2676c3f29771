// EndBehind: lets isolate end as soon as the command has ended and its output is complete. A child goes on with what
// the caller need not wait for, such as the removal of the clone. If the child is killed, the next run does it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace isolate {

class EndBehind {
 public:
  // Finds out whether this can be done here. Call it while the guest starts, because it takes some time. It can't be
  // done where nobody reaps the child once isolate has ended: the first process of a container is often a program that
  // takes notice of its own children only, and each run would leave it a zombie. `record` is a file in which each child
  // leaves its pid for the next run, which looks whether that one was reaped. So there is at most one such zombie.
  void prepare(std::string record);
  bool is_possible() const { return is_possible_; }
  // Keeps the mount namespace of a process of the guest. Otherwise the kernel would unmount all that is in it before it
  // reports the end of the guest's last process.
  void keep_mounts_of(pid_t pid);
  // Gives up these namespaces. Call it before the root is given back, which is busy as long as it is mounted.
  void let_go_of_mounts() { namespaces_.clear(); }

  // Divides isolate in two, and returns true in the child. The caller's side has to end without another word: it has
  // closed the descriptors of the caller, and so has the child. Whoever waits for the end of a stream, or for the lock
  // of a file that isolate has inherited, waits only for the caller's side. The child begins when that has ended, and
  // has no terminal and "/" as its directory. If the kernel makes no process, there is only the caller's side.
  bool divide() const;

 private:
  std::string record_;
  bool is_possible_ = false;
  std::vector<int> inherited_;  // descriptors from 3 on
  std::vector<Fd> namespaces_;
  Fd nothing_;  // /dev/null
  Fd self_;     // a pidfd of the caller's side
};

}  // namespace isolate
