#include "share/cookie_guard.h"

#include <cstdint>

namespace isolate {
namespace {

// X Window System Protocol, "Connection Setup": the client chooses the byte order of all numbers.
constexpr std::size_t kHeader = 12;
constexpr std::size_t kKindLengthAt = 6;
constexpr std::size_t kDataLengthAt = 8;
constexpr char kLittleEndian = 'l';
constexpr char kBigEndian = 'B';

std::size_t number_at(std::string_view bytes, std::size_t at) {
  const auto first = static_cast<std::uint8_t>(bytes[at]);
  const auto second = static_cast<std::uint8_t>(bytes[at + 1]);
  return bytes[0] == kLittleEndian ? first + second * 256U : first * 256U + second;
}

std::size_t padded(std::size_t length) { return (length + 3) / 4 * 4; }

// Takes the same time for every guess, so that the time does not reveal how many bytes of the guess are right.
bool is_same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<std::uint8_t>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

Result<std::string> CookieGuard::edit(std::string_view bytes) {
  held_ += bytes;
  if (held_.empty()) return std::string();
  if (held_[0] != kLittleEndian && held_[0] != kBigEndian) return fail("malformed request for a connection");
  if (held_.size() < kHeader) return std::string();
  const auto kind_length = number_at(held_, kKindLengthAt);
  const auto data_length = number_at(held_, kDataLengthAt);
  // Check the lengths before waiting for the rest, so that a client can't make the relay hold more.
  if (kind_length != cookie_.kind.size() || data_length != cookie_.bytes.size()) return fail("not the guest's cookie");
  const auto length = kHeader + padded(kind_length) + padded(data_length);
  if (held_.size() < length) return std::string();
  const std::string_view all = held_;
  const bool is_own = all.substr(kHeader, kind_length) == cookie_.kind &&
                      is_same(all.substr(kHeader + padded(kind_length), data_length), cookie_.bytes);
  if (!is_own) return fail("not the guest's cookie");
  is_sent_ = true;
  auto request = held_.substr(0, length);
  held_.erase(0, length);
  return request;
}

Result<std::string> CookieGuard::see_answer(std::string_view bytes) {
  if (bytes.empty() || !is_sent_) return std::string();
  if (!is_valid_()) return fail("the X server has forgotten the guest's cookie");
  is_finished_ = true;
  return std::move(held_);
}

}  // namespace isolate
