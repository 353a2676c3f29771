#include "linux/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

Result<std::string> read_sealed_file(const Fd& file, std::size_t most) {
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kAllSeals) != kAllSeals) return fail("its file is not sealed");
  const auto status = TRY(status_of(file.get(), "", AT_EMPTY_PATH));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0 || size > most) return fail("its length is wrong");
  std::string content(size, '\0');
  // The descriptor's offset is shared with the process that sent it, so it stays where it is. A memory file is read at
  // once.
  const auto got = TRY(trace::check(::pread(file.get(), content.data(), size, 0), "pread", "sealed file"));
  if (static_cast<std::size_t>(got) != size) return fail("its length is wrong");
  return content;
}

}  // namespace isolate
