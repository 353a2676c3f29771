// The name under which programs look for a shared library.
#pragma once

#include <string>

namespace isolate {

// Reads DT_SONAME of an ELF file for 64-bit little-endian machines (elf(5)), such as "libcuda.so.1". Returns "" if the
// file is no such library or names itself by a path.
std::string soname_of(const std::string& path);

}  // namespace isolate
