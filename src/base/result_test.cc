#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace isolate {
namespace {

TEST(ErrorTest, MessageIsContextReasonAndAdvice) {
  EXPECT_EQ(Error(ENOSPC, "mount overlay on root").message(), "mount overlay on root: No space left on device");
  EXPECT_EQ(Error("no command").message(), "no command");
  EXPECT_EQ(Error(EPERM, "clone3").advise("see the sysctl").message(),
            "clone3: Operation not permitted; see the sysctl");
  EXPECT_EQ(Error("no shell").advise("name a command").message(), "no shell; name a command");
}

TEST(ErrorTest, WithinPrependsTheStepAndKeepsCodeAndAdvice) {
  const auto error = Error(EPERM, "clone3").advise("see the sysctl").within("user namespace");
  EXPECT_EQ(error.message(), "user namespace: clone3: Operation not permitted; see the sysctl");
  EXPECT_EQ(error.code(), EPERM);
}

void expect_same_after_packing(const Error& error) {
  const auto unpacked = Error::from_packed(error.packed());
  EXPECT_EQ(unpacked.code(), error.code());
  EXPECT_EQ(unpacked.context(), error.context());
  EXPECT_EQ(unpacked.message(), error.message());
}

TEST(ErrorTest, UnpackingRestoresEverything) {
  expect_same_after_packing(Error(ENOENT, "open /a"));
  expect_same_after_packing(Error("plain text"));
  expect_same_after_packing(Error(EPERM, "clone3").advise("try this; or that"));
  expect_same_after_packing(Error(""));
}

// A context contains paths, and a path may contain a newline.
TEST(ErrorTest, PackingKeepsNewlines) {
  expect_same_after_packing(Error(ENOENT, "open /a\nb"));
  expect_same_after_packing(Error(ENOENT, "open /a\nb").advise("first\nsecond"));
}

TEST(ErrorTest, OfSeveralPackedErrorsTheFirstCounts) {
  const auto first = Error(ENOSPC, "mount").advise("make room");
  const auto unpacked = Error::from_packed(first.packed() + Error(EIO, "read").advise("try again").packed());
  EXPECT_EQ(unpacked.message(), first.message());
}

TEST(ErrorTest, UnpackedTextBecomesTheMessage) {
  EXPECT_EQ(Error::from_packed("killed half-way").message(), "killed half-way");
  EXPECT_EQ(Error::from_packed("").message(), "");
  EXPECT_EQ(Error::from_packed("13\nhalf").code(), 0);
  EXPECT_EQ(Error::from_packed("13\n4\nhalf").code(), 0);
}

Result<std::unique_ptr<int>> number_or_error(bool works) {
  if (!works) return fail(EIO, "read");
  return std::make_unique<int>(7);
}

Result<int> one_more(bool works) {
  auto number = TRY(number_or_error(works));
  return *number + 1;
}

Result<void> nothing_or_error(bool works, int* reached) {
  TRY_VOID(works ? Result<void>() : fail(EROFS, "write"));
  ++*reached;
  return {};
}

TEST(ResultTest, TryYieldsTheValueOrReturnsTheError) {
  EXPECT_EQ(one_more(true).value(), 8);
  const auto failed = one_more(false);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "read: Input/output error");
}

TEST(ResultTest, TryVoidContinuesOnlyAfterASuccess) {
  int reached = 0;
  EXPECT_TRUE(nothing_or_error(true, &reached));
  EXPECT_EQ(reached, 1);
  EXPECT_EQ(nothing_or_error(false, &reached).error().code(), EROFS);
  EXPECT_EQ(reached, 1);
}

}  // namespace
}  // namespace isolate
