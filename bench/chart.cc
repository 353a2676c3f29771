#include "chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>

#include "statistics.h"

namespace isolate::bench {
namespace {

// Sizes in pixels.
constexpr int kWidth = 860;
constexpr int kNames = 300;
constexpr int kNumbers = 90;
constexpr int kRow = 26;
constexpr int kBar = 16;
constexpr int kTop = 40;

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else {
      result += c;
    }
  }
  return result;
}

std::string row_of(const Measured& row, int top, double scale) {
  const auto summary = summarize(row.wall_ms);
  const bool is_ours = row.name.starts_with("isolate");
  const double end = kNames + summary.median * scale;
  const int middle = top + kBar / 2;
  return fmt::format(
      "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n"
      "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n"
      "<path d=\"M{:.1f} {}H{:.1f}\" stroke=\"#222\"/>\n"
      "<text x=\"{:.1f}\" y=\"{}\">{:.1f}</text>\n",
      kNames - 8, middle + 4, escaped(row.name), kNames, top, summary.median * scale, kBar,
      is_ours ? "#2a7f62" : "#9aa5b1", kNames + summary.lower_quartile * scale, middle,
      kNames + summary.upper_quartile * scale, std::max(end, kNames + summary.upper_quartile * scale) + 6, middle + 4,
      summary.median);
}

}  // namespace

Result<void> draw_chart(const std::string& path, const std::string& title, const std::vector<Measured>& rows) {
  double longest = 0;
  for (const auto& row : rows) longest = std::max(longest, summarize(row.wall_ms).upper_quartile);
  const double scale = longest > 0 ? (kWidth - kNames - kNumbers) / longest : 0;
  const int height = kTop + kRow * static_cast<int>(rows.size()) + 8;
  std::ofstream file(path);
  file << fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"13\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"12\" y=\"22\" font-size=\"15\">{2}</text>\n",
      kWidth, height, escaped(title));
  int top = kTop;
  for (const auto& row : rows) {
    file << row_of(row, top, scale);
    top += kRow;
  }
  file << "</svg>\n";
  file.close();
  if (!file) return fail("can't write " + path);
  return {};
}

}  // namespace isolate::bench
