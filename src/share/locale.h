// Locales (locale(7)) that a root has.
#pragma once

#include <string>
#include <vector>

#include "share/share.h"

namespace isolate {

// The caller's locale: LC_ALL, or else LANG. Returns C.UTF-8 if neither is set to the name of a locale.
std::string locale_of_caller();

// The name that a locale has on disk: de_DE.utf8 for de_DE.UTF-8.
std::string name_on_disk(const std::string& locale);

// Adds LANG to the plan: plan->locale, or C.UTF-8 with a warning if the root lacks that locale. `directories` are the
// layers of the root, or the root itself. If none of them can be read, this assumes that the root has the locale.
void settle_locale(const std::vector<std::string>& directories, SharePlan* plan);

}  // namespace isolate
