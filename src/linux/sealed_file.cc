#include "linux/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/trace.h"
#include "linux/file.h"

namespace isolate {

Result<Fd> sealed_file(const char* name, std::string_view content) {
  Fd file(
      static_cast<int>(TRY(trace::check(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create", name))));
  TRY_VOID(write_all(file.get(), content, name));
  TRY(trace::check(::fcntl(file.get(), F_ADD_SEALS, kAllSeals), "fcntl F_ADD_SEALS", name));
  return file;
}

}  // namespace isolate
