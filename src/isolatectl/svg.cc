#include "isolatectl/svg.h"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/text.h"

namespace isolate {
namespace {

constexpr std::string_view kSvg = "http://www.w3.org/2000/svg";
constexpr std::string_view kXml = "http://www.w3.org/XML/1998/namespace";

// The elements of SVG that draw, describe or group. Elements whose names begin with "fe" are parts of filters.
constexpr std::array kDrawing = {
    "a",          "circle",   "clipPath", "color-profile",  "defs",      "desc",    "ellipse", "filter",
    "flowPara",   "flowRoot", "g",        "flowRegion",     "image",     "line",    "marker",  "linearGradient",
    "mask",       "metadata", "path",     "meshgradient",   "meshpatch", "meshrow", "pattern", "polygon",
    "polyline",   "rect",     "stop",     "radialGradient", "style",     "svg",     "switch",  "symbol",
    "solidcolor", "text",     "textPath", "title",          "tspan",     "use",     "view",    "flowSpan",
    "solidColor", "hatch",    "hatchpath"};

// Namespaces whose elements have an effect anywhere in a document.
constexpr std::array kActiveNamespaces = {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2001/XInclude",
                                          "http://www.w3.org/2001/xml-events"};

struct Name {
  std::string_view space;
  std::string_view local;
};

// Expat joins the namespace and the name with a blank.
Name split_name(std::string_view name) {
  const auto blank = name.rfind(' ');
  if (blank == std::string_view::npos) return {"", name};
  return {name.substr(0, blank), name.substr(blank + 1)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string_view without(std::string_view text, std::string_view leading) {
  text.remove_prefix(std::min(text.find_first_not_of(leading), text.size()));
  return text;
}

// Decodes at most the first `most` bytes of base64. Blanks between the letters have no meaning.
std::string beginning_of_base64(std::string_view text, std::size_t most) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    if (bytes.size() == most) break;
    if (std::string_view(" \t\r\n").find(c) != std::string_view::npos) continue;
    const auto value = kLetters.find(c);
    if (value == std::string_view::npos) break;
    bits = ((bits << 6U) | static_cast<unsigned>(value)) & 0xffffU;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 0xffU);
  }
  return bytes;
}

// Says whether it is a PNG of at most 1024 pixels in each direction. A few bytes can describe so many pixels that a
// program that decodes them runs out of memory.
bool is_small_png(std::string_view base64) {
  constexpr std::string_view kBegin("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  constexpr std::size_t kNumber = 4;
  const auto bytes = beginning_of_base64(base64, kBegin.size() + 2 * kNumber);
  if (bytes.size() != kBegin.size() + 2 * kNumber || !bytes.starts_with(kBegin)) return false;
  for (auto at = kBegin.size(); at < bytes.size(); at += kNumber) {
    const unsigned pixels =
        static_cast<unsigned char>(bytes[at + 2]) * 256U + static_cast<unsigned char>(bytes[at + 3]);
    if (bytes[at] != 0 || bytes[at + 1] != 0 || pixels > 1024) return false;
  }
  return true;
}

// Says whether every url(...) in the lower-case text is a part of the document.
bool has_only_own_urls(std::string_view text) {
  constexpr std::string_view kUrl = "url(";
  for (auto at = text.find(kUrl); at != std::string_view::npos; at = text.find(kUrl, at + 1)) {
    const auto target = without(text.substr(at + kUrl.size()), " \t\r\n\"'");
    if (target.empty() || target.front() != '#') return false;
  }
  return true;
}

bool is_plain_style(std::string_view style) {
  const auto text = lower(style);
  // A backslash can spell any of the words in another way, and rules with '@' load style sheets and fonts.
  for (const char* word : {"\\", "@", "image(", "image-set(", "src(", "://"}) {
    if (text.find(word) != std::string::npos) return false;
  }
  return has_only_own_urls(text);
}

class Checker {
 public:
  Checker() : parser_(::XML_ParserCreateNS("UTF-8", ' '), &::XML_ParserFree) {
    ::XML_SetUserData(parser_.get(), this);
    ::XML_SetElementHandler(parser_.get(), &Checker::begin_element, &Checker::end_element);
    ::XML_SetCharacterDataHandler(parser_.get(), &Checker::add_text);
    ::XML_SetXmlDeclHandler(parser_.get(), &Checker::check_declaration);
    ::XML_SetStartDoctypeDeclHandler(
        parser_.get(), [](void* self, auto...) { static_cast<Checker*>(self)->refuse("it has a DOCTYPE"); });
    ::XML_SetProcessingInstructionHandler(parser_.get(), [](void* self, auto...) {
      static_cast<Checker*>(self)->refuse("it has a processing instruction");
    });
  }

  Result<void> check(std::string_view content) {
    const auto status = ::XML_Parse(parser_.get(), content.data(), static_cast<int>(content.size()), XML_TRUE);
    if (!reason_.empty()) return fail(reason_);
    if (status == XML_STATUS_OK) return {};
    return fail(fmt::format("it is not XML: {}", ::XML_ErrorString(::XML_GetErrorCode(parser_.get()))));
  }

 private:
  // Keeps the first reason. Expat may call more handlers before it stops.
  void refuse(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    ::XML_StopParser(parser_.get(), XML_FALSE);
  }

  static void check_declaration(void* self, const XML_Char* /*version*/, const XML_Char* encoding, int /*alone*/) {
    // In another encoding, a desktop would read other characters than this checks.
    if (encoding != nullptr && lower(encoding) != "utf-8") static_cast<Checker*>(self)->refuse("it is not UTF-8");
  }

  static void begin_element(void* self, const XML_Char* name, const XML_Char** attributes) {
    auto& checker = *static_cast<Checker*>(self);
    const auto [space, local] = split_name(name);
    checker.check_element(space, local);
    for (; *attributes != nullptr; attributes += 2) checker.check_attribute(split_name(attributes[0]), attributes[1]);
    if (space == kSvg && local == "style") ++checker.styles_;
  }

  static void end_element(void* self, const XML_Char* name) {
    auto& checker = *static_cast<Checker*>(self);
    --checker.depth_;
    const auto [space, local] = split_name(name);
    if (space != kSvg || local != "style" || --checker.styles_ > 0) return;
    if (!is_plain_style(checker.style_)) checker.refuse("its style sheet loads something, or may do so");
    checker.style_.clear();
  }

  static void add_text(void* self, const XML_Char* text, int length) {
    auto& checker = *static_cast<Checker*>(self);
    if (checker.styles_ > 0) checker.style_.append(text, static_cast<std::size_t>(length));
  }

  void check_element(std::string_view space, std::string_view local) {
    constexpr int kDeepest = 100;  // programs that draw an SVG recurse into it
    if (depth_++ == 0 && (space != kSvg || local != "svg")) return refuse("it is neither a PNG nor an SVG");
    if (depth_ > kDeepest) return refuse("its elements are too deeply nested");
    const bool is_active =
        std::find(kActiveNamespaces.begin(), kActiveNamespaces.end(), space) != kActiveNamespaces.end();
    const bool is_drawing =
        local.starts_with("fe") || std::find(kDrawing.begin(), kDrawing.end(), local) != kDrawing.end();
    if (is_active || (space == kSvg && !is_drawing)) {
      refuse(fmt::format("it has an element '{}'", text::printable(local.substr(0, 40))));
    }
  }

  // Says whether a reference leads to a part of the document, or is a small image itself.
  bool is_own_reference(std::string_view value) {
    constexpr int kMostImages = 16;
    constexpr std::string_view kPng = "data:image/png;base64,";
    const auto reference = without(value, " \t\r\n");
    if (reference.empty() || reference.front() == '#') return true;
    if (lower(reference.substr(0, kPng.size())) != kPng) return false;
    return ++images_ <= kMostImages && is_small_png(reference.substr(kPng.size()));
  }

  void check_attribute(const Name& name, std::string_view value) {
    const auto local = lower(name.local);
    const auto refuse_it = [&] {
      refuse(fmt::format("its attribute '{}' does more than draw", text::printable(local.substr(0, 40))));
    };
    if (name.space.empty() && local.starts_with("on")) return refuse_it();
    if (name.space == kXml && local == "base") return refuse_it();
    if ((local == "href" || local == "src") && !is_own_reference(value)) return refuse_it();
    // Each octave of a turbulence takes as long as the first one, and more than nine make no visible difference.
    if (local == "numoctaves" && without(value, " \t\r\n+0").size() > 1) return refuse_it();
    if (local == "style" && !is_plain_style(value)) return refuse_it();
    // Attributes such as "fill" are read as style sheets are.
    const bool may_be_style = name.space.empty() && value.find('\\') != std::string_view::npos;
    if (may_be_style || !has_only_own_urls(lower(value))) refuse_it();
  }

  std::unique_ptr<XML_ParserStruct, decltype(&::XML_ParserFree)> parser_;
  int depth_ = 0;
  int images_ = 0;
  int styles_ = 0;  // how many elements "style" the parser is in
  std::string style_;
  std::string reason_;
};

}  // namespace

Result<void> check_svg(std::string_view content) {
  if (content.find('\0') != std::string_view::npos) return fail("it is not UTF-8");
  return Checker().check(content);
}

}  // namespace isolate
