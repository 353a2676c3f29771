// TemplateFiles: reads files of a template as data. No program of the template runs, no link leads out of it, and only
// regular files are opened, so that no pipe and no device can hold up the reader.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "linux/caller.h"
#include "store/open.h"

namespace isolate {

class TemplateFiles {
 public:
  // Opens the newest generation. Mounts the layers as a guest's overlay, so that links between them and removed files
  // have the same effect as in a guest. The mount is in no mount namespace and ends with this object. Errors: those of
  // mounting.
  static Result<TemplateFiles> open(const TemplatePlace& place, OwnerNamespace* owner);
  // Reads below the directory `root`.
  explicit TemplateFiles(Fd root) : root_(std::move(root)) {}

  // Errors: ENOENT there is no such file; EFBIG it is longer than `most` bytes; it is not a regular file.
  Result<std::string> read(const std::string& path, std::size_t most) const;
  // Whether a regular file with an execute bit is there. Follows links within the template.
  bool has_program(const std::string& path) const;
  // Returns at most `most` of the names in a directory, sorted.
  Result<std::vector<std::string>> names(const std::string& path, std::size_t most) const;

 private:
  Fd root_;
};

}  // namespace isolate
