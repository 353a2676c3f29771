// Files in memory whose content nobody can change any more, whoever gets a descriptor of them (memfd_create(2)).
#pragma once

#include <fcntl.h>

#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// The seals of such a file: nothing of it can be changed, the seals neither.
constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// `name` is what /proc shows. The offset is that of the end. Errors: those of memfd_create(2) and write(2).
Result<Fd> sealed_file(const char* name, std::string_view content);

}  // namespace isolate
