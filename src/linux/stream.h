// Standard streams: what kind of file a descriptor is, as far as that decides what its holder can do with it beside
// reading or writing.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

enum class StreamKind {
  pipe,           // an anonymous pipe
  terminal,       // but not the controlling side of a pseudo-terminal
  memory_device,  // null, zero, full, random or urandom
  directory,
  path,   // O_PATH: it can neither be read nor written
  other,  // regular files, named pipes, sockets, all other devices, ...
};

// Errors: EBADF.
Result<StreamKind> kind_of_stream(int fd);

bool can_be_read(int fd);
bool can_be_written(int fd);

// Whether two descriptors are the same stream: one open file, one pipe, or one file that is opened for appending twice,
// where the order in which they are written shows. What the kernel does not tell counts as different.
bool is_same_stream(int one, int other);

// The anonymous pipe `fd` opened once more, in its direction. The new open file has the flags of `fd` (O_NONBLOCK,
// O_DIRECT) and does not share them. Errors: EACCES where the pipe belongs to another user.
Result<Fd> reopen_pipe(int fd);

// Whether the messages of a socket have boundaries.
bool keeps_boundaries(int fd);

}  // namespace isolate
