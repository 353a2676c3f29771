#include "zfs/program.h"

#include <limits.h>

namespace isolate::zfs {

// Only a lack of memory can fail here; the program then misses the argument and says so.
void Arguments::add(const char* name, const std::string& value) {
  library_.nvlist_add_string(list_.get(), name, value.c_str());
}

void Arguments::add(const char* name, const std::vector<std::string>& values) {
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value.c_str());
  library_.nvlist_add_string_array(list_.get(), name, pointers.data(), static_cast<unsigned>(pointers.size()));
}

Result<int> Table::number(const std::string& name) const {
  std::int64_t value = 0;
  if (const int error = library_.nvlist_lookup_int64(table_, name.c_str(), &value); error != 0) {
    return fail(error, "the result for " + name);
  }
  return value < 0 || value > INT_MAX ? INT_MAX : static_cast<int>(value);
}

Result<Table> run_program(const Library& library, const std::string& dataset, const char* program,
                          const Arguments& arguments) {
  constexpr std::uint64_t kMostInstructions = 100'000'000;  // the most that ZFS allows
  constexpr std::uint64_t kMostMemory = 100 << 20;          // the same
  const auto pool = dataset.substr(0, dataset.find('/'));
  nvlist* results = nullptr;
  const int error =
      library.lzc_channel_program(pool.c_str(), program, kMostInstructions, kMostMemory, arguments.get(), &results);
  List all(library, results);
  if (error != 0) {
    const char* text = nullptr;
    if (results != nullptr && library.nvlist_lookup_string(results, "error", &text) == 0) {
      return fail(error, std::string(text));
    }
    return fail(error, "channel program");
  }
  nvlist* table = nullptr;
  if (library.nvlist_lookup_nvlist(results, "return", &table) != 0)
    return fail("the channel program returned no table");
  return Table(library, std::move(all), table);
}

}  // namespace isolate::zfs
