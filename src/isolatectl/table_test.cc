#include "isolatectl/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace isolate {
namespace {

TEST(TableTest, AColumnIsAsWideAsItsWidestCell) {
  EXPECT_EQ(table({{"NAME", "AGE", "FROM"}, {"debian-12", "3s", "x"}, {"a", "10m", ""}}),
            "NAME       AGE  FROM\n"
            "debian-12  3s   x\n"
            "a          10m\n");
}

TEST(TableTest, ATableWithoutRowsIsEmpty) { EXPECT_EQ(table({}), ""); }

TEST(TableTest, ARowMayHaveFewerCellsThanTheHeading) { EXPECT_EQ(table({{"A", "B"}, {"aa"}}), "A   B\naa\n"); }

TEST(TableTest, ControlBytesAreEscapedAndColumnsStayAligned) {
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
