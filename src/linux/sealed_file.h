// Files in memory whose content can't be changed any more by anybody who receives a descriptor (memfd_create(2)).
#pragma once

#include <fcntl.h>

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// The seals of such a file: neither its content nor its seals can change.
constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// Creates such a file. /proc shows it as `name`. The offset of the descriptor is at the end of the file. Errors: those
// of memfd_create(2) and write(2).
Result<Fd> sealed_file(const char* name, std::string_view content);

// Returns the content of such a file from another process. Errors: plain text: it lacks the seals; it is empty or has
// more than `most` bytes.
Result<std::string> read_sealed_file(const Fd& file, std::size_t most);

}  // namespace isolate
