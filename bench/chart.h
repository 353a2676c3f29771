// Draws measured times as a bar chart in SVG.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "harness.h"

namespace isolate::bench {

// Writes a bar for the median of each row, with the quartiles as a line across its end. Rows whose names begin with
// "isolate" stand out. Errors: those of writing the file.
Result<void> draw_chart(const std::string& path, const std::string& title, const std::vector<Measured>& rows);

}  // namespace isolate::bench
