// Decides whether an untrusted SVG can be given to the programs of a desktop.
#pragma once

#include <string_view>

#include "base/result.h"

namespace isolate {

// Accepts an SVG that draws and does nothing else: UTF-8, at most 100 elements deep, with elements for drawing only,
// and without DOCTYPE, entities, processing instructions, scripts, event handlers, animations, and references to
// anything but the document's own parts and a few small embedded PNG images. Errors: plain text that says what is
// wrong.
Result<void> check_svg(std::string_view content);

}  // namespace isolate
