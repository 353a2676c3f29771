#include "zfs/clones.h"

#include <errno.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

#include "store/zfs_core.h"
#include "zfs/program.h"

namespace isolate::zfs {
namespace {

// A dataset without the mark is a clone of ours if nothing was written to it: ZFS sets the mark a moment after it has
// made the clone, and the machine may have crashed in between.
constexpr const char* kDestroy = R"lua(
  local given = ...
  local origin_begin = given["template"] .. "@"
  local mark = given["mark"]

  local function has_datasets(dataset)
    return zfs.list.snapshots(dataset)() ~= nil or zfs.list.children(dataset)() ~= nil
  end

  local function is_ours(dataset)
    local origin = zfs.get_prop(dataset, "origin")
    if origin == nil or string.sub(origin, 1, #origin_begin) ~= origin_begin then
      return false
    end
    local value, source = zfs.get_prop(dataset, mark)
    if value ~= nil and source == dataset then
      return true
    end
    return zfs.get_prop(dataset, "written") == 0 and not has_datasets(dataset)
  end

  local codes = {}
  for _, dataset in ipairs(given["datasets"]) do
    if not zfs.exists(dataset) then
      codes[dataset] = ENOENT
    elseif not is_ours(dataset) then
      codes[dataset] = EPERM
    elseif has_datasets(dataset) then
      codes[dataset] = EEXIST
    else
      codes[dataset] = zfs.sync.destroy(dataset)
    end
  end
  return codes
)lua";

int make_clone(const Library& library, const std::string& mounts, const std::string& snapshot,
               const std::string& dataset) {
  constexpr std::uint64_t kNoauto = 2;  // the value of "canmount=noauto"
  const List properties(library);
  const auto place = mounts + dataset.substr(dataset.rfind('/'));
  if (library.nvlist_add_string(properties.get(), core::kCloneMark, snapshot.c_str()) != 0 ||
      library.nvlist_add_string(properties.get(), "mountpoint", place.c_str()) != 0 ||
      library.nvlist_add_uint64(properties.get(), "canmount", kNoauto) != 0) {
    return ENOMEM;
  }
  return library.lzc_clone(dataset.c_str(), snapshot.c_str(), properties.get());
}

}  // namespace

std::vector<int> make_clones(const Library& library, const std::string& mounts, const std::string& snapshot,
                             const std::vector<std::string>& datasets) {
  constexpr std::size_t kMostThreads = 32;
  std::vector<int> codes(datasets.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (auto i = next++; i < datasets.size(); i = next++) {
      codes[i] = make_clone(library, mounts, snapshot, datasets[i]);
    }
  };
  std::vector<std::thread> threads;
  try {
    for (std::size_t i = 1; i < std::min(datasets.size(), kMostThreads); ++i) threads.emplace_back(work);
  } catch (const std::system_error&) {
    // A limit of processes is reached. Those that run do the work.
  }
  work();
  for (auto& thread : threads) thread.join();
  return codes;
}

Result<std::vector<int>> destroy_clones(const Library& library, const std::string& template_dataset,
                                        const std::vector<std::string>& datasets) {
  Arguments arguments(library);
  arguments.add("template", template_dataset);
  arguments.add("mark", core::kCloneMark);
  arguments.add("datasets", datasets);
  const auto result = TRY(run_program(library, template_dataset, kDestroy, arguments));
  std::vector<int> codes;
  for (const auto& dataset : datasets) codes.push_back(TRY(result.number(dataset)));
  return codes;
}

std::vector<int> destroy_busy_clones(const Library& library, const std::vector<std::string>& datasets) {
  std::vector<int> codes;
  for (const auto& dataset : datasets) codes.push_back(library.lzc_destroy(dataset.c_str()));
  return codes;
}

}  // namespace isolate::zfs
