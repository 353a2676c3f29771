#include "share/cookie_guard.h"

#include <gtest/gtest.h>

namespace isolate {
namespace {

const XCookie kCookie = {"MIT-MAGIC-COOKIE-1", std::string("01234567\0009abcdef", 16)};

std::string request(char order, const XCookie& cookie) {
  const auto number = [order](std::size_t value) {
    const char low = static_cast<char>(value & 0xffU);
    const char high = static_cast<char>(value >> 8U);
    return order == 'l' ? std::string{low, high} : std::string{high, low};
  };
  const auto padded = [](std::string text) {
    text.resize((text.size() + 3) / 4 * 4);
    return text;
  };
  return std::string{order, '\0'} + number(11) + number(0) + number(cookie.kind.size()) + number(cookie.bytes.size()) +
         std::string(2, '\0') + padded(cookie.kind) + padded(cookie.bytes);
}

CookieGuard guard_for(const XCookie& cookie) {
  return CookieGuard(cookie, [] { return true; });
}

TEST(CookieGuardTest, PassesTheCookieInEitherByteOrderAndWhatFollowsAfterTheAnswer) {
  for (const char order : {'l', 'B'}) {
    auto guard = guard_for(kCookie);
    EXPECT_FALSE(guard.awaits_answer());
    EXPECT_EQ(guard.edit(request(order, kCookie) + "first request").value(), request(order, kCookie)) << order;
    EXPECT_TRUE(guard.awaits_answer());
    EXPECT_EQ(guard.see_answer("").value(), "");
    EXPECT_FALSE(guard.is_finished());
    EXPECT_EQ(guard.see_answer("\1").value(), "first request");
    EXPECT_TRUE(guard.is_finished());
  }
}

TEST(CookieGuardTest, RefusesTheCookieOnceTheServerHasForgottenIt) {
  bool is_valid = true;
  CookieGuard guard(kCookie, [&is_valid] { return is_valid; });
  EXPECT_TRUE(guard.edit(request('l', kCookie)));
  is_valid = false;
  EXPECT_FALSE(guard.see_answer("\1"));
  EXPECT_FALSE(guard.is_finished());
}

TEST(CookieGuardTest, HoldsARequestBackUntilItIsComplete) {
  const auto bytes = request('l', kCookie);
  auto guard = guard_for(kCookie);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    EXPECT_EQ(guard.edit(bytes.substr(i, 1)).value(), "") << i;
    EXPECT_FALSE(guard.is_finished()) << i;
  }
  EXPECT_EQ(guard.edit(bytes.substr(bytes.size() - 1)).value(), bytes);
}

TEST(CookieGuardTest, RefusesEverythingElse) {
  auto other = kCookie;
  other.bytes.back() = 'X';
  const XCookie shorter = {kCookie.kind, kCookie.bytes.substr(0, 8)};
  const XCookie longer = {kCookie.kind, std::string(60000, 'x')};
  const XCookie other_kind = {"XDM-AUTHORIZATION1", kCookie.bytes};
  for (const auto& cookie : {other, shorter, longer, other_kind, XCookie{}}) {
    EXPECT_FALSE(guard_for(kCookie).edit(request('l', cookie))) << cookie.kind << cookie.bytes.size();
    EXPECT_FALSE(guard_for(kCookie).edit(request('B', cookie))) << cookie.kind << cookie.bytes.size();
  }
  EXPECT_FALSE(guard_for(kCookie).edit("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(guard_for(kCookie).edit(std::string(1, '\0')));
}

TEST(CookieGuardTest, RefusesALongCookieBeforeItHasArrived) {
  const auto bytes = request('l', {kCookie.kind, std::string(65535, 'x')});
  EXPECT_FALSE(guard_for(kCookie).edit(bytes.substr(0, 12)));
}

}  // namespace
}  // namespace isolate
