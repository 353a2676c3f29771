// The values of --ulimit, --tmp-size, --memory, --timeout and --cpus. An accepted value is above 0 if it must be,
// within its range, and exactly what is written: a second computation, in whole numbers, must agree.
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>

#include "fuzz.h"
#include "request/resource_limits.h"

namespace isolate::fuzz {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void check_ulimit(std::string_view text) {
  const auto limit = parse_ulimit(text);
  if (!limit) {
    expect_printable(limit.error());
    return;
  }
  expect(limit->resource >= 0 && limit->resource < static_cast<int>(RLIMIT_NLIMITS), "a limit's resource exists");
  expect(limit->value == kUnlimited || limit->value <= INT64_MAX, "a limit is unlimited or below 2^63");
  const auto value = limit->value == kUnlimited ? "unlimited" : std::to_string(limit->value);
  expect(text == limit->name + "=" + value, "a limit that is written out again is the text it came from", text);
}

void check_size(std::string_view text) {
  const auto size = parse_size(text, "size");
  if (!size) {
    expect_printable(size.error());
    return;
  }
  expect(*size > 0 && *size <= INT64_MAX, "a size is above 0 and below 2^63", text);
  const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  const auto unit = text.substr(digits.size());
  expect(all_digits(digits) && unit.size() <= 1, "a size is digits and one letter at most", text);
  auto bytes = std::stoull(std::string(digits));
  for (const char letter : {'T', 'G', 'M', 'K'}) {
    if (unit.empty() || bytes > INT64_MAX) break;
    // A T is 1024 G, a G is 1024 M, and so on down from the given letter.
    const std::string_view order = "KMGT";
    if (order.find(letter) <= order.find(unit[0])) bytes *= 1024;
  }
  expect(*size == bytes, "a size is its number in units of 1024", text);
  const auto again = parse_size(std::to_string(*size), "size");
  expect(again && *again == *size, "a size in bytes is read as itself again", text);
}

// Returns the value in units with so many digits after the point, rounded up. Returns 0 if the text is not DIGITS or
// DIGITS.DIGITS, or is beyond the allowed range. Digits after the ninth are ignored.
std::uint64_t expected_units(std::string_view text, std::size_t digits) {
  constexpr std::size_t kMostDigits = 9;
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto fraction = point == std::string_view::npos ? std::string_view("0") : text.substr(point + 1);
  if (!all_digits(whole) || !all_digits(fraction) || whole.size() > kMostDigits) return 0;
  if (whole.size() > 1 && whole.front() == '0') return 0;
  std::string units(whole);
  units += fraction.substr(0, digits);
  units.resize(whole.size() + digits, '0');
  const bool has_rest = fraction.substr(0, kMostDigits).find_first_not_of('0', digits) != std::string_view::npos;
  return std::stoull(units) + (has_rest ? 1 : 0);
}

void check_seconds(std::string_view text) {
  const auto expected = expected_units(text, 3);
  const auto milliseconds = parse_seconds(text, "seconds");
  if (!milliseconds) {
    expect_printable(milliseconds.error());
    expect(expected == 0, "seconds above 0, in digits with a point or without, are accepted", text);
    return;
  }
  expect(*milliseconds > 0, "a time is above 0", text);
  if (text == "1000000000") return;  // the maximum has one digit more than all others
  expect(*milliseconds == expected, "a time is what is written, in milliseconds, rounded up", text);
}

void check_cpus(std::string_view text) {
  constexpr std::uint64_t kLeast = 1000;
  constexpr std::uint64_t kMost = 1'000'000'000;
  const auto expected = expected_units(text, 5);
  const auto microseconds = parse_cpus(text, "cpus");
  if (!microseconds) {
    expect_printable(microseconds.error());
    expect(expected < kLeast || expected > kMost, "a number from 0.01 to 10000 is accepted", text);
    return;
  }
  expect(*microseconds >= kLeast && *microseconds <= kMost, "processors are from 0.01 to 10000", text);
  expect(*microseconds == expected, "processors are what is written, of 100000 microseconds each, rounded up", text);
}

}  // namespace
}  // namespace isolate::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = isolate::fuzz::as_text(data, size);
  isolate::fuzz::check_ulimit(text);
  isolate::fuzz::check_size(text);
  isolate::fuzz::check_seconds(text);
  isolate::fuzz::check_cpus(text);
  return 0;
}
