#include "linux/own_code.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace isolate {
namespace {

int release_segments(dl_phdr_info* program, std::size_t /*size*/, void* /*data*/) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < program->dlpi_phnum; ++i) {
    const auto& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = program->dlpi_addr + segment.p_vaddr;
    const auto first = begin & ~(page - 1);
    // If this fails the pages stay in memory, which is harmless.
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader gives addresses as integers
    ::madvise(reinterpret_cast<void*>(first), begin + segment.p_memsz - first, MADV_DONTNEED);
  }
  return 1;  // stop after the program itself, which comes first: a static program has no libraries
}

}  // namespace

void release_own_code() { ::dl_iterate_phdr(release_segments, nullptr); }

}  // namespace isolate
