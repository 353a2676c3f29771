// Standard streams: the kinds of file that a descriptor can refer to, as far as they allow the holder more than reading
// or writing.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

enum class StreamKind {
  pipe,           // an anonymous pipe
  terminal,       // not the controlling side of a pseudo-terminal
  memory_device,  // null, zero, full, random or urandom
  directory,
  path,   // opened with O_PATH, so neither readable nor writable
  other,  // regular files, named pipes, sockets, all other devices
};

// Errors: EBADF.
Result<StreamKind> kind_of_stream(int fd);

bool can_be_read(int fd);
bool can_be_written(int fd);

// Says whether two descriptors are the same stream: one open file, one pipe, or one file opened twice for appending,
// because readers then see the order of writes to both. If the kernel can't compare them, they count as different.
bool is_same_stream(int one, int other);

// Opens the anonymous pipe `fd` again, with the same access mode. The new open file has the flags O_NONBLOCK and
// O_DIRECT of `fd`, but later changes of flags are not shared. Errors: EACCES the pipe belongs to another user.
Result<Fd> reopen_pipe(int fd);

// Says whether `fd` is a socket that preserves the boundaries of messages.
bool preserves_message_boundaries(int fd);

// Opens /dev/null for each of the descriptors 0 to 2 that the caller has closed. Otherwise the next file that the
// program opens would get that number: messages for standard error would be written into it, and a guest would get it
// as a stream. Call it first of all.
void open_standard_descriptors();

}  // namespace isolate
