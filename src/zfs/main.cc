// isolate-zfs: what the ZFS store asks of OpenZFS's library libzfs_core. isolate, isolated and isolatectl start it; the
// command line and the exit statuses are in store/zfs_core.h.
#include <stdio.h>
#include <stdlib.h>

#include "store/zfs_core.h"
#include "zfs/clones.h"

namespace isolate::zfs {
namespace {

Result<void> print_codes(const std::vector<int>& codes) {
  std::string text;
  for (const int code : codes) text += std::to_string(code) + "\n";
  if (::fputs(text.c_str(), stdout) < 0 || ::fflush(stdout) != 0) return fail(errno, "standard output");
  return {};
}

Result<void> do_task(const std::vector<std::string>& words) {
  if (words.size() < 2) return fail("isolate-zfs is started by isolate and not by hand");
  const auto library = Library::load();
  if (!library) return fail(Error(ENOSYS, library.error().message()));
  if (words[0] == "clone" && words.size() > 3) {
    return print_codes(make_clones(*library, words[1], words[2], {words.begin() + 3, words.end()}));
  }
  if (words[0] == "destroy" && words.size() > 2) {
    return print_codes(TRY(destroy_clones(*library, words[1], {words.begin() + 2, words.end()})));
  }
  if (words[0] == "destroy-busy") return print_codes(destroy_busy_clones(*library, {words.begin() + 1, words.end()}));
  return fail("isolate-zfs is started by isolate and not by hand");
}

int status_of(const Error& error) { return error.code() == ENOSYS ? core::kNoLibrary : EXIT_FAILURE; }

}  // namespace
}  // namespace isolate::zfs

int main(int count, char** words) {
  const auto outcome = isolate::zfs::do_task({words + 1, words + count});
  if (outcome) return EXIT_SUCCESS;
  ::fprintf(stderr, "isolate-zfs: %s\n", outcome.error().message().c_str());
  return isolate::zfs::status_of(outcome.error());
}
