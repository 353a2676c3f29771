// Prints results on standard output. Errors: those of writing, such as a full disk.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace isolate {

using Json = nlohmann::ordered_json;

Result<void> print(const std::string& text);
Result<void> print(const Json& json);

}  // namespace isolate
