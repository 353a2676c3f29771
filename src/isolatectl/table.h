// Tables for people: columns as wide as what is in them.
#pragma once

#include <string>
#include <vector>

namespace isolate {

// The first row is the heading.
std::string table(std::vector<std::vector<std::string>> rows);

}  // namespace isolate
