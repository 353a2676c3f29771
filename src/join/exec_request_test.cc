#include "join/exec_request.h"

#include <cstring>

#include "base/testing.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

using test::must;

ExecRequest request() { return {{"ls", "-l", ""}, {"A=b", "EMPTY="}, "/etc", true, false}; }

std::string with_setup(std::string message, const std::function<void(protocol::ExecSetup*)>& change) {
  protocol::ExecSetup setup{};
  std::memcpy(&setup, message.data(), sizeof setup);
  change(&setup);
  std::memcpy(message.data(), &setup, sizeof setup);
  return message;
}

TEST(ExecRequestTest, AMessageHoldsDirectoryArgumentsAndVariablesInThisOrder) {
  const auto message = must(to_message(request()));
  EXPECT_EQ(message.substr(sizeof(protocol::ExecSetup)), std::string("/etc\0ls\0-l\0\0A=b\0EMPTY=\0", 23));
  EXPECT_TRUE(test::succeeded(check_message(message)));
  EXPECT_TRUE(test::succeeded(check_message(must(to_message({{"true"}, {}, "", false, false})))));
}

TEST(ExecRequestTest, AMessageThatIsCutOrHasMoreBytesIsRefused) {
  const auto message = must(to_message(request()));
  for (std::size_t length = 0; length < message.size(); ++length) {
    EXPECT_FALSE(check_message(message.substr(0, length))) << length;
  }
  EXPECT_FALSE(check_message(message + "x"));
  EXPECT_FALSE(check_message(message + std::string(1, '\0')));
  EXPECT_FALSE(check_message(message + std::string(protocol::kMostExecBytes, '\0')));
}

TEST(ExecRequestTest, WrongNumbersAndFlagsAreRefused) {
  const auto message = must(to_message(request()));
  const std::function<void(protocol::ExecSetup*)> changes[] = {
      [](auto* setup) { setup->arguments = 0; }, [](auto* setup) { setup->arguments = 2; },
      [](auto* setup) { setup->arguments = 0xffffffff; }, [](auto* setup) { setup->variables = 0xffffffff; },
      [](auto* setup) { setup->variables = 1; }, [](auto* setup) { setup->own_terminal = 2; },
      [](auto* setup) { setup->own_error = 2; },
      // The last argument counts as a variable, but has no "=".
      [](auto* setup) { --setup->arguments, ++setup->variables; }};
  for (const auto& change : changes) EXPECT_FALSE(check_message(with_setup(message, change)));
}

TEST(ExecRequestTest, ARelativeDirectoryAndAVariableWithoutNameAreRefused) {
  EXPECT_FALSE(check_message(must(to_message({{"x"}, {}, "etc", false, false}))));
  EXPECT_FALSE(check_message(must(to_message({{"x"}, {"A"}, "", false, false}))));
  EXPECT_FALSE(check_message(must(to_message({{"x"}, {"=b"}, "", false, false}))));
}

TEST(ExecRequestTest, ARequestThatIsTooLongIsNotMade) {
  EXPECT_FALSE(to_message({{std::string(protocol::kMostExecBytes, 'x')}, {}, "", false, false}));
}

}  // namespace
}  // namespace isolate
