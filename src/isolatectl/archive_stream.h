// ArchiveStream: an archive to read, a file or what comes through a pipe, with its compression told by its first bytes.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class ArchiveStream {
 public:
  // `from`: a path, also of a pipe such as bash's <(...), or "-": standard input. `name`: what messages call it.
  // Errors: those of open(2); it is neither a file nor a pipe, or a terminal.
  static Result<ArchiveStream> open(const std::string& from);

  // Reads the first bytes. Errors: it is empty; it is a known kind of file but no archive, and what to do.
  Result<void> begin();
  // The program that decompresses it; empty: it is not compressed.
  const std::string& decompressor() const { return decompressor_; }
  // Whether its first bytes can be read again: then descriptor() is all that a reader needs, otherwise copy_to() is.
  bool is_file() const { return is_file_; }
  int descriptor() const { return fd_.get(); }
  // Writes all of it to `out`. That the reader closes its end early is no error.
  Result<void> copy_to(int out) const;

 private:
  ArchiveStream(Fd fd, bool is_file, std::string name)
      : fd_(std::move(fd)), is_file_(is_file), name_(std::move(name)) {}
  Result<void> read_beginning();

  Fd fd_;
  bool is_file_;
  std::string name_;
  std::string beginning_;  // what was read of a pipe
  std::string decompressor_;
};

}  // namespace isolate
