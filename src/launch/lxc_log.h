// LxcLog: writes LXC's log to a file of the caller's, for DEBUG_LXC_SPAWN.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class LxcLog {
 public:
  static constexpr const char* kPath = "/tmp/isolate_lxc_log";

  // Opens the file and empties it. Errors: it is a link or not a regular file, belongs to somebody else, or has
  // several names.
  static Result<LxcLog> open(const std::string& path = kPath);

  // The file in memory that LXC writes to, because LXC works in another root as another user.
  int memory() const { return memory_.get(); }
  // Copies LXC's log into the caller's file.
  Result<void> save() const;

 private:
  LxcLog(std::string path, Fd file, Fd memory)
      : path_(std::move(path)), file_(std::move(file)), memory_(std::move(memory)) {}
  std::string path_;
  Fd file_;
  Fd memory_;
};

}  // namespace isolate
