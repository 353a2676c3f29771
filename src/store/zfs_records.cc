#include "store/zfs_records.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "linux/boot_id.h"
#include "linux/file.h"
#include "store/zfs_mount.h"

namespace isolate::zfs {
namespace {

// The first line is "BOOT NUMBER SNAPSHOT". After a loss of power a record that was removed may be there again, so only
// those of this boot count.
std::optional<Generation> generation_of(const std::string& line, const std::string& template_name) {
  const auto boot = boot_id();
  if (!boot || !line.starts_with(*boot + " ")) return std::nullopt;
  const auto begin = boot->size() + 1;
  const auto space = line.find(' ', begin);
  if (space == std::string::npos || space + 1 == line.size()) return std::nullopt;
  const auto number = text::number(line.substr(begin, space - begin), "generation", 0, UINT64_MAX);
  if (!number) return std::nullopt;
  return Generation{template_name, *number, {}, line.substr(space + 1)};
}

bool is_complete(const Dataset& parent) {
  const auto needed = text::split(inherited_mount_properties(), ',');
  return std::all_of(needed.begin(), needed.end(),
                     [&parent](const auto& property) { return parent.properties.contains(property); });
}

}  // namespace

std::optional<Record> Records::read() const {
  const auto text = read_file(path()).value_or("");
  const auto lines = text::split(text, '\n');
  if (lines.empty()) return std::nullopt;
  auto newest = generation_of(lines.front(), template_name_);
  if (!newest) return std::nullopt;
  Record record{std::move(*newest), {}};
  for (const auto& line : lines) {
    const auto tab = line.find('\t');
    if (tab != std::string::npos) record.parent.properties[line.substr(0, tab)] = {line.substr(tab + 1), false};
  }
  if (!is_complete(record.parent)) return std::nullopt;
  return record;
}

Result<FileLock> Records::lock() const {
  auto file = TRY(open_file(AT_FDCWD, path() + ".lock", O_RDWR | O_CREAT, 0600));
  return FileLock::wait(std::move(file), FileLock::Mode::exclusive);
}

Result<void> Records::write(const Record& record) const {
  auto text = fmt::format("{} {} {}\n", TRY(boot_id()), record.newest.number, record.newest.snapshot);
  for (const auto& [name, property] : record.parent.properties) text += name + "\t" + property.value + "\n";
  if (read_file(path()).value_or("") == text) return {};
  return replace_file(path(), text, 0600);
}

Result<void> Records::remove() const {
  if (::unlink(path().c_str()) == 0 || errno == ENOENT) return {};
  return fail(errno, "remove " + path());
}

}  // namespace isolate::zfs
