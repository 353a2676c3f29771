#include "isolatectl/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace isolate {
namespace {

TEST(TableTest, ColumnsAreAsWideAsWhatIsInThem) {
  EXPECT_EQ(table({{"NAME", "AGE", "FROM"}, {"debian-12", "3s", "x"}, {"a", "10m", ""}}),
            "NAME       AGE  FROM\n"
            "debian-12  3s   x\n"
            "a          10m\n");
}

TEST(TableTest, OfNothingIsNothing) { EXPECT_EQ(table({}), ""); }

TEST(TableTest, RowsMayBeShorter) { EXPECT_EQ(table({{"A", "B"}, {"aa"}}), "A   B\naa\n"); }

TEST(TableTest, ControlBytesAreShownAndColumnsStayInLine) {
  std::istringstream text(table({{"A\033\n", "B"}, {"a", "b"}}));
  std::string heading;
  std::string row;
  std::getline(text, heading);
  std::getline(text, row);
  EXPECT_EQ(heading, "A\\x1b\\x0a  B");
  EXPECT_EQ(row.find('b'), heading.find('B'));
}

}  // namespace
}  // namespace isolate
