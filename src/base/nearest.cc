#include "base/nearest.h"

#include <algorithm>

namespace isolate::text {
namespace {

// The edit distance (optimal string alignment): how many characters have to be changed, inserted, deleted or swapped
// with their neighbour to turn `left` into `right`.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::vector<std::size_t>> rows(left.size() + 1, std::vector<std::size_t>(right.size() + 1));
  for (std::size_t i = 0; i <= left.size(); ++i) rows[i][0] = i;
  for (std::size_t j = 0; j <= right.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t changed = rows[i - 1][j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, changed});
      const bool exchanged = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (exchanged) rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[left.size()][right.size()];
}

}  // namespace

std::string nearest_word(std::string_view typed, const std::vector<std::string>& words) {
  // Longer words are not compared, which bounds the work; no name or verb is longer.
  constexpr std::size_t kLongest = 64;
  if (typed.empty() || typed.size() > kLongest) return {};
  std::string best;
  std::size_t least = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const auto& word : words) {
    if (word.size() > kLongest) continue;
    const bool begins_so = typed.size() >= 3 && word.starts_with(typed);
    const auto differs = begins_so ? 1 : distance(typed, word);
    if (differs >= least) continue;
    least = differs;
    best = word;
  }
  return best;
}

}  // namespace isolate::text
