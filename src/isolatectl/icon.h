// Icon: an image for the menus of a desktop, which isolatectl checks before the desktop decodes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

constexpr std::size_t kMostIconBytes = 1 << 20;

struct Icon {
  std::string folder;   // in a theme: "48x48" or "scalable"
  std::string suffix;   // ".png" or ".svg"
  std::string content;  // of the file to write
};

// Recognizes PNG and SVG by their content. A PNG is at most 1024 pixels wide and high; its icon has only the chunks
// that are needed to show it, and no comments, colour profiles or animations. An SVG is one that check_svg() accepts.
// Errors: plain text that says what is wrong with the image.
Result<Icon> make_icon(std::string_view content);

// Returns the sizes for which desktops look for icons, in ascending order.
const std::vector<unsigned>& icon_sizes();
// The folder for icons of a size, which is also the folder's name in a theme.
std::string icon_folder(unsigned size);
constexpr const char* kScalable = "scalable";

}  // namespace isolate
