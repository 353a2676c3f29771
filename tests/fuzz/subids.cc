// The text of /etc/subuid: the ranges of a user consist of valid ids, never contain the id 0, and are exactly those of
// the user's own lines.
#include <cstdint>

#include "base/text.h"
#include "fuzz.h"
#include "linux/idmap.h"

namespace isolate::fuzz {
namespace {

constexpr const char* kUser = "user";
constexpr std::uint32_t kUid = 1007;

void expect_ids(const IdRange& range) {
  constexpr std::uint64_t kNobody = 0xffffffff;  // "no id", the last number
  const auto seen = std::to_string(range.base) + ":" + std::to_string(range.count);
  expect(range.base > 0, "a range does not hold the host's root", seen);
  expect(range.count > 0, "a range holds an id", seen);
  expect(std::uint64_t{range.base} + range.count <= kNobody, "a range ends before 2^32 - 1", seen);
}

// Lines of other users must not change what a user gets.
void expect_only_own_lines(std::string_view text, const std::vector<IdRange>& ranges) {
  std::string own;
  for (const auto& line : text::split(text, '\n')) {
    if (line.starts_with(std::string(kUser) + ":") || line.starts_with(std::to_string(kUid) + ":")) own += line + '\n';
  }
  expect(parse_subids(own, kUser, kUid) == ranges, "a user's ranges come from their own lines alone", own);
}

void expect_same_again(const std::vector<IdRange>& ranges) {
  std::string lines;
  for (const auto& range : ranges) {
    lines += std::string(kUser) + ":" + std::to_string(range.base) + ":" + std::to_string(range.count) + "\n";
  }
  expect(parse_subids(lines, kUser, kUid) == ranges, "ranges that are written out again are read as the same", lines);
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::as_text(data, size);
  const auto ranges = parse_subids(text, fuzz::kUser, fuzz::kUid);
  for (const auto& range : ranges) fuzz::expect_ids(range);
  fuzz::expect_only_own_lines(text, ranges);
  fuzz::expect_same_again(ranges);
  fuzz::expect(parse_subids(text, "", 0xfffffffe).empty() || text.find("4294967294:") != std::string_view::npos,
               "a user without a name has only the lines of their number");
  return 0;
}
