// DEBUG_LXC_SPAWN: what LXC has to say, in a file of the caller's.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class LxcLog {
 public:
  static constexpr const char* kPath = "/tmp/isolate_lxc_log";

  // Opens the file, and empties it. Errors: it is a link, belongs to somebody else, has other names, or is no file.
  static Result<LxcLog> open(const std::string& path = kPath);

  // A file in memory, for LXC to write to: it works in another root as another user.
  int memory() const { return memory_.get(); }
  // Copies what was written there into the file.
  Result<void> save() const;

 private:
  LxcLog(std::string path, Fd file, Fd memory)
      : path_(std::move(path)), file_(std::move(file)), memory_(std::move(memory)) {}
  std::string path_;
  Fd file_;
  Fd memory_;
};

}  // namespace isolate
