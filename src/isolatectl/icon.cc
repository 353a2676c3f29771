#include "isolatectl/icon.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "isolatectl/svg.h"

namespace isolate {
namespace {

constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i) number = (number << 8) | static_cast<unsigned char>(bytes[i]);
  return number;
}

// Checks the chunk IHDR (PNG specification, section 11.2.2) and returns the larger of width and height.
Result<unsigned> check_header(std::string_view header) {
  constexpr std::uint32_t kMostPixels = 1024;
  if (header.size() != 13) return fail("its header is malformed");
  const auto width = number_at(header, 0);
  const auto height = number_at(header, 4);
  if (width == 0 || height == 0 || width > kMostPixels || height > kMostPixels) {
    return fail(fmt::format("it has {} by {} pixels; isolatectl accepts 1 to {} in each direction", width, height,
                            kMostPixels));
  }
  const unsigned depth = static_cast<unsigned char>(header[8]);
  const auto depths = [depth](std::initializer_list<unsigned> allowed) {
    return std::find(allowed.begin(), allowed.end(), depth) != allowed.end();
  };
  bool is_known = false;
  switch (header[9]) {  // the colour type
    case 0:
      is_known = depths({1, 2, 4, 8, 16});
      break;
    case 3:
      is_known = depths({1, 2, 4, 8});
      break;
    case 2:
    case 4:
    case 6:
      is_known = depths({8, 16});
      break;
    default:
      break;
  }
  // The methods of compression and of filtering, and interlacing.
  if (!is_known || header[10] != 0 || header[11] != 0 || header[12] < 0 || header[12] > 1) {
    return fail("its header is malformed");
  }
  return std::max(width, height);
}

bool is_needed(std::string_view type) {
  return type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT" || type == "IEND";
}

// The first letter of a chunk's type is a capital if a decoder can't show the image without knowing the type.
bool is_critical(std::string_view type) { return type[0] >= 'A' && type[0] <= 'Z'; }

std::string folder_for(unsigned pixels) {
  const auto& sizes = icon_sizes();
  const auto fitting = std::lower_bound(sizes.begin(), sizes.end(), pixels);
  return icon_folder(fitting == sizes.end() ? sizes.back() : *fitting);
}

Result<Icon> make_png(std::string_view content) {
  Icon icon{"", ".png", std::string(kPngSignature)};
  bool has_data = false;
  for (std::size_t at = kPngSignature.size(); content.size() - at >= 12;) {
    const std::size_t length = number_at(content, at);
    if (length > content.size() - at - 12) return fail("it is cut off");
    const auto type = content.substr(at + 4, 4);
    if (icon.folder.empty()) {
      if (type != "IHDR") return fail("it does not begin with its header");
      icon.folder = folder_for(TRY(check_header(content.substr(at + 8, length))));
    } else if (type == "IHDR") {
      return fail("it has two headers");
    }
    if (!is_needed(type) && is_critical(type)) return fail("it has a part of an unknown kind");
    if (is_needed(type)) icon.content += content.substr(at, length + 12);
    has_data |= type == "IDAT";
    if (type == "IEND") return has_data ? Result<Icon>(std::move(icon)) : fail("it has no pixels");
    at += length + 12;
  }
  return fail("it is cut off");
}

}  // namespace

Result<Icon> make_icon(std::string_view content) {
  if (content.size() > kMostIconBytes) {
    return fail(fmt::format("it has {} bytes; isolatectl accepts at most {}", content.size(), kMostIconBytes));
  }
  if (content.starts_with(kPngSignature)) return make_png(content);
  if (content.find('<') == std::string_view::npos) return fail("it is neither a PNG nor an SVG");
  TRY_VOID(check_svg(content));
  return Icon{kScalable, ".svg", std::string(content)};
}

const std::vector<unsigned>& icon_sizes() {
  // The sizes of the theme hicolor that applications provide.
  static const std::vector<unsigned> kSizes = {16, 22, 24, 32, 36, 48, 64, 72, 96, 128, 192, 256, 512};
  return kSizes;
}

std::string icon_folder(unsigned size) { return fmt::format("{0}x{0}", size); }

}  // namespace isolate
