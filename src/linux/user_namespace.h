// User namespaces: made empty of processes, held by a descriptor, joined by those who need them.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "linux/idmap.h"
#include "linux/process.h"

namespace isolate {

enum class MapWriter {
  direct,     // this process may write the maps (root, or the owner inside a namespace)
  newuidmap,  // through the setuid helpers newuidmap(1) and newgidmap(1)
  self,       // one id, the caller's own: user_namespaces(7) allows that to everybody, without setgroups
};

// Errors: EPERM and ENOSPC come with advice on the sysctl or the AppArmor setting that forbids user namespaces.
Result<Fd> make_user_namespace(const IdMaps& maps, MapWriter writer, const ProcessLimit& processes = {});

enum class Groups { drop, keep };  // the caller's supplementary groups
// Enters the namespace and becomes its id 0. Groups are dropped where the namespace allows it.
Result<void> become_root_in(int user_namespace, Groups groups = Groups::drop);

// Runs `body` in a child that is root in `user_namespace` (-1: just as the caller), and gives back its error, if any.
Result<void> run_as_root_in(int user_namespace, const std::function<Result<void>()>& body);

}  // namespace isolate
