// Reads the input as a .desktop file, and as an image for its icon. From an untrusted entry, isolatectl takes only
// plain lines of known keys. Reading an entry that was written gives the same entry, and so it is with a command line.
// An icon that is accepted once is accepted again, unchanged.
#include <algorithm>
#include <cstdint>

#include "base/plain_line.h"
#include "fuzz.h"
#include "isolatectl/desktop_entry.h"
#include "isolatectl/exec_line.h"
#include "isolatectl/icon.h"
#include "isolatectl/program_entry.h"

namespace isolate::fuzz {
namespace {

void check_description(const DesktopEntry& entry) {
  DesktopEntry described;
  copy_description(entry, &described);
  for (const auto& [key, raw] : described.all()) {
    expect(raw.find('\n') == std::string::npos && text::is_plain_line(described.value(key)), "a value is one line",
           raw);
    const auto name = key.substr(0, key.find('['));
    expect(
        name != "Exec" && name != "TryExec" && name != "Actions" && name != "Path" && name != "Icon" && name != "Type",
        "nothing that starts something is copied", key);
  }
  const auto again = DesktopEntry::parse(described.text());
  expect(again && again->all() == described.all(), "an entry that is written is read as itself", described.text());
}

void check_command(const DesktopEntry& entry) {
  const auto words = words_of_exec_line(entry.value("Exec"));
  if (!words) {
    expect_printable(words.error());
    return;
  }
  const auto written = exec_line(*words);
  if (!written) {
    expect_printable(written.error());
    expect(words->front().find('=') != std::string::npos, "words of a plain line can be written");
    return;
  }
  const auto again = words_of_exec_line(*written);
  expect(again && *again == *words, "a command line is read as itself", *written);
}

void check_entry(std::string_view text) {
  const auto entry = DesktopEntry::parse(text);
  if (!entry) {
    expect_printable(entry.error());
    return;
  }
  check_description(*entry);
  check_command(*entry);
}

void check_icon(std::string_view content) {
  const auto icon = make_icon(content);
  if (!icon) {
    expect_printable(icon.error());
    return;
  }
  const auto again = make_icon(icon->content);
  expect(again && again->content == icon->content && again->folder == icon->folder, "an icon is accepted as it is");
}

}  // namespace
}  // namespace isolate::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = isolate::fuzz::as_text(data, size);
  isolate::fuzz::check_entry(text);
  isolate::fuzz::check_icon(text);
  return 0;
}
