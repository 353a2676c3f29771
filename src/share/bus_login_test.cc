#include "share/bus_login.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace isolate {
namespace {

using test::must;
using namespace std::string_literals;

// 1000 in decimal digits, as hexadecimal bytes.
constexpr uid_t kId = 1000;
#define OWN_ID "31303030"

// Returns all bytes that the bus receives if it answers each line as soon as it has it.
std::string whole_login(const std::vector<std::string>& parts) {
  LoginEditor editor(kId);
  std::string passed;
  std::size_t answered = 0;
  for (const auto& part : parts) {
    passed += editor.is_finished() ? part : must(editor.edit(part));
    for (std::size_t at = answered; (at = passed.find('\n', at)) != std::string::npos && !editor.is_finished();) {
      answered = ++at;
      passed += must(editor.see_answer("OK\r\n"));
    }
  }
  return passed;
}

TEST(BusLoginTest, TheIdIsReplaced) {
  EXPECT_EQ(whole_login({"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nbinary"s}),
            "\0AUTH EXTERNAL " OWN_ID "\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nbinary"s);
  EXPECT_EQ(whole_login({"\0"s, "AUTH EXTER", "NAL 30", "\r", "\nBEG", "IN\r\n"}),
            "\0AUTH EXTERNAL " OWN_ID "\r\nBEGIN\r\n"s);
}

TEST(BusLoginTest, OtherLinesAndMessagesPassUnchanged) {
  for (const auto& login :
       {"\0AUTH\r\nAUTH ANONYMOUS 30\r\nBEGIN\r\n"s, "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"s,
        "\0AUTH EXTERNAL \r\nDATA 30\r\nCANCEL\r\nBEGIN\r\n"s, "AUTH EXTERNALLY 30\r\nBEGIN\r\n"s}) {
    EXPECT_EQ(whole_login({login}), login);
    EXPECT_EQ(whole_login({login, "AUTH EXTERNAL 30\r\n"}), login + "AUTH EXTERNAL 30\r\n");
  }
}

TEST(BusLoginTest, TheEndOfTheLoginWaitsForTheAnswers) {
  LoginEditor editor(kId);
  EXPECT_EQ(must(editor.edit("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\nmessage"s)), "\0AUTH EXTERNAL\r\nDATA\r\n"s);
  EXPECT_TRUE(editor.awaits_answer());
  EXPECT_EQ(must(editor.see_answer("DATA\r\nOK")), "");
  EXPECT_FALSE(editor.is_finished());
  EXPECT_EQ(must(editor.see_answer(" id\r\n")), "BEGIN\r\nmessage");
  EXPECT_TRUE(editor.is_finished());
  EXPECT_FALSE(editor.awaits_answer());
}

TEST(BusLoginTest, ALineWithoutEndIsNotKept) {
  LoginEditor editor(kId);
  bool is_refused = false;
  for (int i = 0; i < 100 && !is_refused; ++i) is_refused = !editor.edit(std::string(1000, 'x'));
  EXPECT_TRUE(is_refused);
}

}  // namespace
}  // namespace isolate
