#include "store/store.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

TEST(TemplateNameTest, IsUsableAsADirectoryAndInAHostName) {
  for (const char* name : {"debian", "debian-12.5", "9front", "a"}) EXPECT_TRUE(check_template_name(name)) << name;
  for (const char* name : {"", ".", "..", "../etc", "a/b", "/etc", ".hidden", "-z", "a b", "a\n"}) {
    EXPECT_FALSE(check_template_name(name)) << name;
  }
}

TEST(TemplateNameTest, HasAtMostFortyCharacters) {
  EXPECT_TRUE(check_template_name(std::string(40, 'a')));
  EXPECT_FALSE(check_template_name(std::string(41, 'a')));
}

TEST(TemplateNameTest, TheErrorShowsHostileNamesInPart) {
  const auto message = test::message_of(check_template_name("\033[2J" + std::string(10000, 'x')));
  EXPECT_EQ(message.find('\033'), std::string::npos);
  EXPECT_LT(message.size(), 300U);
}

}  // namespace
}  // namespace isolate
