// CleanupProcess: lets isolate exit as soon as the command has ended and its output is complete. A child then does what
// the caller need not wait for, such as removing the clone. If the child is killed, the next run does it.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/fd.h"

namespace isolate {

class CleanupProcess {
 public:
  // Decides whether a child can do this here. Call it while the guest starts, because it takes some time. The child
  // must not be killed with its container, and somebody must reap it once isolate has exited. The first process of a
  // container often reaps only its own children, so that each run would leave a zombie. Therefore each child writes its
  // pid to the file `record`, unless an earlier child is named there and still exists, and a run uses no child if that
  // one is a zombie. So zombies do not pile up.
  void prepare(std::string record);
  bool can_run() const { return can_run_; }
  // Leaves all to this process.
  void give_up() { can_run_ = false; }
  // Keeps the mount namespace of a process of the guest. Otherwise the kernel would unmount all that is in it before it
  // reports the end of the guest's last process.
  void keep_mounts_of(pid_t pid);
  // Closes these namespaces. Call it before the root is given back: a root that is still mounted is busy.
  void close_namespaces() { namespaces_.clear(); }

  // Forks. Returns true in the child. Returns false in isolate itself, also if fork failed and there is no child.
  // Before the fork it replaces 0, 1 and 2 by /dev/null and closes the other descriptors that isolate has inherited, so
  // that whoever waits for the end of a stream or for the lock of an inherited file does not wait for the child.
  // Therefore isolate must exit now and can't print anything. Its command line becomes the child's name. The child
  // returns only when isolate has exited. The directory of both is "/", and the child leads a session without a
  // terminal.
  bool fork_after_closing() const;

 private:
  std::string record_;
  bool can_run_ = false;
  std::vector<int> inherited_;  // descriptors from 3 on
  std::span<char> arguments_;   // of this process, in its memory
  std::vector<Fd> namespaces_;
  Fd dev_null_;
  Fd self_;  // a pidfd of isolate itself
};

}  // namespace isolate
