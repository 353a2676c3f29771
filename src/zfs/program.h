// Runs programs in Lua in the kernel (zfs-program(8)).
#pragma once

#include <string>
#include <vector>

#include "zfs/library.h"

namespace isolate::zfs {

// The argument of a program in Lua: a table of names and values.
class Arguments {
 public:
  explicit Arguments(const Library& library) : library_(library), list_(library) {}
  void add(const char* name, const std::string& value);
  void add(const char* name, const std::vector<std::string>& values);
  nvlist* get() const { return list_.get(); }

 private:
  const Library& library_;
  List list_;
};

// The result of a program in Lua: a table of names and values.
class Table {
 public:
  Table(const Library& library, List all, nvlist* table) : library_(library), all_(std::move(all)), table_(table) {}
  // Errors: the table has no such entry.
  Result<int> number(const std::string& name) const;

 private:
  const Library& library_;
  List all_;
  nvlist* table_;
};

// `dataset` says in which pool. ZFS writes each call with the text of the program to the pool's history, so this is not
// for reading. Errors: what the program failed with; EPERM this process is not root.
Result<Table> run_program(const Library& library, const std::string& dataset, const char* program,
                          const Arguments& arguments);

}  // namespace isolate::zfs
