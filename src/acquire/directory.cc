#include "acquire/directory.h"

#include "base/random.h"
#include "base/text.h"

namespace isolate {
namespace {

// A host name for the run: the last part of the directory's path, if a host name can hold it.
std::string name_of_run(const std::string& directory) {
  constexpr std::size_t kMost = 40;
  std::string name = directory.substr(directory.rfind('/') + 1).substr(0, kMost);
  if (!text::is_name(name, kMost)) name = "isolate";
  return name + "-" + random_name();
}

}  // namespace

Result<void> Directory::prepare(GuestGroup* group, Steps* steps) {
  return group->choose_parent(owner_.caller(), request_.dry_run, steps);
}

Result<AcquiredRoot> Directory::acquire(Steps* /*steps*/) {
  AcquiredRoot root;
  root.id = name_of_run(request_.directory);
  root.source.directory = request_.directory;
  return root;
}

Result<uid_t> Directory::owner() {
  Fd unused;  // stays empty: a directory can be read without mounting it
  return owner_of_root({{}, request_.directory}, &unused);
}

}  // namespace isolate
