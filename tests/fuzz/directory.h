// A directory that is removed with the process, for parsers whose smallest entry takes a path. It is in $TMPDIR, or
// /tmp. tools/fuzz.sh removes what a finding leaves there.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "linux/file.h"
#include "linux/tree.h"

namespace isolate::fuzz {

class Directory {
 public:
  Directory() {
    const char* parent = ::getenv("TMPDIR");
    path_ = std::string(parent != nullptr ? parent : "/tmp") + "/isolate-fuzz-XXXXXX";
    expect(::mkdtemp(path_.data()) != nullptr, "a directory can be made", path_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    // If this fails, the directory stays in TMPDIR, which is harmless.
    [[maybe_unused]] auto removed = remove_tree(AT_FDCWD, path_);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file whose content is replaced again and again.
class File {
 public:
  File(const std::string& directory, const std::string& name) {
    expect(make_directories(directory, 0700).has_value(), "directories can be made", directory);
    auto file = open_file(AT_FDCWD, directory + "/" + name, O_RDWR | O_CREAT, 0600);
    expect(file.has_value(), "a file can be made", name);
    file_ = std::move(*file);
  }
  void write(std::string_view text) {
    expect(::ftruncate(file_.get(), 0) == 0 && ::lseek(file_.get(), 0, SEEK_SET) == 0, "a file can be emptied");
    expect(write_all(file_.get(), text, "file").has_value(), "a file can be written");
  }

 private:
  Fd file_;
};

}  // namespace isolate::fuzz
