#include "isolatectl/icon.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "base/testing.h"

namespace isolate {
namespace {

using test::message_of;
using test::must;

std::string number(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  return number(static_cast<std::uint32_t>(data.size())) + type + data + "csum";
}

std::string header(std::uint32_t width, std::uint32_t height,
                   const std::string& rest = std::string("\x08\x06\0\0\0", 5)) {
  return chunk("IHDR", number(width) + number(height) + rest);
}

std::string png(const std::string& chunks) { return std::string("\x89PNG\r\n\x1a\n", 8) + chunks; }

const std::string kPixels = chunk("IDAT", "pixels");
const std::string kEnd = chunk("IEND", "");

TEST(IconTest, APngGoesToTheFolderOfItsSize) {
  EXPECT_EQ(must(make_icon(png(header(48, 48) + kPixels + kEnd))).folder, "48x48");
  EXPECT_EQ(must(make_icon(png(header(60, 10) + kPixels + kEnd))).folder, "64x64");
  EXPECT_EQ(must(make_icon(png(header(1, 1) + kPixels + kEnd))).folder, "16x16");
  EXPECT_EQ(must(make_icon(png(header(1024, 1024) + kPixels + kEnd))).folder, "512x512");
}

TEST(IconTest, OnlyTheImageIsKept) {
  const auto palette = chunk("PLTE", "abc");
  const auto transparency = chunk("tRNS", "a");
  const auto content = png(header(16, 16) + chunk("iCCP", "profile") + palette + transparency + chunk("tEXt", "a") +
                           chunk("acTL", "animated") + kPixels + kPixels + kEnd) +
                       "trailing";
  const auto icon = must(make_icon(content));
  EXPECT_EQ(icon.content, png(header(16, 16) + palette + transparency + kPixels + kPixels + kEnd));
  EXPECT_EQ(icon.suffix, ".png");
}

TEST(IconTest, AMalformedPngIsRefused) {
  const auto whole = png(header(16, 16) + kPixels + kEnd);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(make_icon(whole.substr(0, length))) << length;
  const std::string malformed[] = {png(kPixels + kEnd),
                                   png(header(16, 16) + kEnd),
                                   png(header(16, 16) + header(16, 16) + kPixels + kEnd),
                                   png(header(16, 16) + chunk("ABCD", "") + kPixels + kEnd),
                                   png(header(16, 16, std::string("\x03\x06\0\0\0", 5)) + kPixels + kEnd),
                                   png(header(16, 16, std::string("\x08\x05\0\0\0", 5)) + kPixels + kEnd),
                                   png(header(16, 16, std::string("\x08\x06\1\0\0", 5)) + kPixels + kEnd),
                                   png(header(16, 16, std::string("\x08\x06\0\0\x80", 5)) + kPixels + kEnd),
                                   png(chunk("IHDR", "short") + kPixels + kEnd),
                                   png(header(16, 16) + number(0xffffffff) + "IDAT" + kEnd)};
  for (const auto& content : malformed) EXPECT_FALSE(make_icon(content));
}

TEST(IconTest, SizesBeyondReasonAreRefused) {
  for (const auto& [width, height] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {0, 16}, {16, 0}, {1025, 16}, {16, 1025}, {0xffffffff, 0xffffffff}, {0x80000000, 1}}) {
    EXPECT_NE(message_of(make_icon(png(header(width, height) + kPixels + kEnd))).find("pixels"), std::string::npos);
  }
  EXPECT_NE(message_of(make_icon(std::string(kMostIconBytes + 1, ' '))).find("bytes"), std::string::npos);
}

TEST(IconTest, OtherContentIsRefused) {
  for (const char* content :
       {"", "root:x:0:0:root:/root:/bin/bash\n", "GIF89a", "/* XPM */", "<html></html>", "<svg/>"}) {
    EXPECT_FALSE(make_icon(content)) << content;
  }
}

TEST(IconTest, AnSvgIsKeptAsItIs) {
  const std::string content = "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>";
  const auto icon = must(make_icon(content));
  EXPECT_EQ(icon.folder, kScalable);
  EXPECT_EQ(icon.suffix, ".svg");
  EXPECT_EQ(icon.content, content);
}

}  // namespace
}  // namespace isolate
