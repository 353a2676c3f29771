// OpenZFS's libraries libzfs_core and libnvpair, loaded when the program starts. isolate is built without them, because
// Debian has them in contrib, and it works without them.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"

// The library's own types, which only it looks into.
struct nvlist;

namespace isolate::zfs {

// The functions, as libzfs_core.h and libnvpair.h declare them. All except fnvlist_alloc and fnvlist_free return an
// errno(3).
struct Library {
  int (*lzc_clone)(const char* dataset, const char* snapshot, nvlist* properties);
  int (*lzc_destroy)(const char* dataset);
  // Runs a program in Lua (zfs-program(8)) with limits for its instructions and its memory in bytes.
  int (*lzc_channel_program)(const char* pool, const char* program, std::uint64_t instructions, std::uint64_t memory,
                             nvlist* arguments, nvlist** results);
  nvlist* (*fnvlist_alloc)();
  void (*fnvlist_free)(nvlist* list);
  int (*nvlist_add_string)(nvlist* list, const char* name, const char* value);
  int (*nvlist_add_uint64)(nvlist* list, const char* name, std::uint64_t value);
  int (*nvlist_add_string_array)(nvlist* list, const char* name, const char* const* values, unsigned count);
  int (*nvlist_lookup_nvlist)(nvlist* list, const char* name, nvlist** value);
  int (*nvlist_lookup_string)(nvlist* list, const char* name, const char** value);
  int (*nvlist_lookup_int64)(nvlist* list, const char* name, std::int64_t* value);

  // Loads them, and opens /dev/zfs. Errors: they are not installed, or too old; the kernel has no OpenZFS.
  static Result<Library> load();
};

class List {
 public:
  explicit List(const Library& library) : List(library, library.fnvlist_alloc()) {}
  List(const Library& library, nvlist* list) : list_(list, library.fnvlist_free) {}
  nvlist* get() const { return list_.get(); }

 private:
  std::unique_ptr<nvlist, void (*)(nvlist*)> list_;
};

}  // namespace isolate::zfs
