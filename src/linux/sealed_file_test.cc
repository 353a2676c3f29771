#include "linux/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/testing.h"
#include "linux/file.h"

namespace isolate {
namespace {

using test::must;

TEST(SealedFileTest, HoldsItsContent) {
  const auto file = must(sealed_file("test", "text"));
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(must(read_all(file.get())), "text");
}

TEST(SealedFileTest, NobodyCanChangeIt) {
  const auto file = must(sealed_file("test", "text"));
  EXPECT_EQ(::pwrite(file.get(), "x", 1, 0), -1);
  EXPECT_EQ(::ftruncate(file.get(), 0), -1);
  EXPECT_EQ(::ftruncate(file.get(), 1 << 20), -1);
  EXPECT_EQ(::mmap(nullptr, 4, PROT_WRITE, MAP_SHARED, file.get(), 0), MAP_FAILED);
  EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
}

}  // namespace
}  // namespace isolate
