// Files in memory whose content nobody can change any more, whoever gets a descriptor of them (memfd_create(2)).
#pragma once

#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace isolate {

// `name` is what /proc shows. The offset is that of the end. Errors: those of memfd_create(2) and write(2).
Result<Fd> sealed_file(const char* name, std::string_view content);

}  // namespace isolate
