// ArchiveStream: an archive that is read from a file, a pipe or a socket. Its first bytes tell how it is compressed.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

class ArchiveStream {
 public:
  // `from` is the path of a file or a pipe (such as bash's <(...)), or "-" for standard input.
  // Errors: those of open(2); it is a terminal, or something else than a file, a pipe or a socket.
  static Result<ArchiveStream> open(const std::string& from);

  // Reads the first bytes. Call it once, before the functions below. Errors: those of read(2); "interrupted"; the
  // archive is empty; it is a known kind of file other than an archive, and the message says what to do.
  Result<void> begin();
  // The program that decompresses the archive; empty if it is not compressed.
  const std::string& decompressor() const { return decompressor_; }
  // For a file, begin() has not moved the file offset, and a program can read the whole archive from descriptor(). For
  // a pipe the first bytes are gone from it, and only copy_to() gives the whole archive.
  bool is_file() const { return is_file_; }
  int descriptor() const { return fd_.get(); }
  // Writes the whole archive to `out`. It is not an error if the reader closes its end early: the reader's own error
  // says more. Errors: those of read(2) and write(2); "interrupted".
  Result<void> copy_to(int out) const;

 private:
  ArchiveStream(Fd fd, bool is_file, std::string name)
      : fd_(std::move(fd)), is_file_(is_file), name_(std::move(name)) {}
  Result<void> read_beginning();

  Fd fd_;
  bool is_file_;
  std::string name_;       // what messages call the archive
  std::string beginning_;  // the first bytes, which begin() has read
  std::string decompressor_;
};

}  // namespace isolate
