#include "zfs/library.h"

#include <dlfcn.h>

#include <string>

namespace isolate::zfs {
namespace {

Result<void*> open_library(const char* name) {
  void* const library = ::dlopen(name, RTLD_NOW);
  if (library == nullptr) return fail(std::string(::dlerror()));
  return library;
}

template <typename Function>
bool find(void* library, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(::dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

Result<Library> Library::load() {
  // The numbers in these names have not changed since OpenZFS 2.0.
  void* const lists = TRY(open_library("libnvpair.so.3"));
  void* const core = TRY(open_library("libzfs_core.so.3"));
  int (*libzfs_core_init)() = nullptr;
  Library library{};
  const bool is_complete =
      find(core, "libzfs_core_init", &libzfs_core_init) && find(core, "lzc_clone", &library.lzc_clone) &&
      find(core, "lzc_destroy", &library.lzc_destroy) &&
      find(core, "lzc_channel_program", &library.lzc_channel_program) &&
      find(lists, "fnvlist_alloc", &library.fnvlist_alloc) && find(lists, "fnvlist_free", &library.fnvlist_free) &&
      find(lists, "nvlist_add_string", &library.nvlist_add_string) &&
      find(lists, "nvlist_add_uint64", &library.nvlist_add_uint64) &&
      find(lists, "nvlist_add_string_array", &library.nvlist_add_string_array) &&
      find(lists, "nvlist_lookup_nvlist", &library.nvlist_lookup_nvlist) &&
      find(lists, "nvlist_lookup_string", &library.nvlist_lookup_string) &&
      find(lists, "nvlist_lookup_int64", &library.nvlist_lookup_int64);
  if (!is_complete) return fail(std::string(::dlerror()));
  if (const int error = libzfs_core_init(); error != 0) return fail(error, "open /dev/zfs");
  return library;
}

}  // namespace isolate::zfs
