// Formats tables for people. Control bytes in cells are escaped.
#pragma once

#include <string>
#include <vector>

namespace isolate {

// Returns one line for each row. Each column is as wide as its widest cell. The first row is the heading.
std::string table(std::vector<std::vector<std::string>> rows);

}  // namespace isolate
