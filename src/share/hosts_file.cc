#include "share/hosts_file.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace isolate {
namespace {

// A line of the file as words: an address, and then its names.
using Entry = std::vector<std::string>;

Entry entry_of(std::string_view line) {
  Entry entry;
  std::string word;
  for (const char letter : line.substr(0, line.find('#'))) {
    if (letter != ' ' && letter != '\t' && letter != '\r') {
      word += letter;
    } else if (!word.empty()) {
      entry.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) entry.push_back(std::move(word));
  return entry;
}

class Hosts {
 public:
  void add(std::string_view line) {
    text_ += line;
    text_ += '\n';
    if (auto entry = entry_of(line); !entry.empty()) entries_.push_back(std::move(entry));
  }

  // Whether a line gives `name` to `address`, or to any address if that is empty.
  bool has(const std::string& name, const std::string& address = "") const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      if (!address.empty() && entry.front() != address) return false;
      return std::find(entry.begin() + 1, entry.end(), name) != entry.end();
    });
  }

  bool has_all_of(const Entry& other) const {
    return std::all_of(other.begin() + 1, other.end(), [this](const std::string& name) { return has(name); });
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::vector<Entry> entries_;
};

}  // namespace

std::string hosts_text(std::string_view of_root, std::string_view of_host, const std::string& name) {
  Hosts hosts;
  if (of_root.ends_with('\n')) of_root.remove_suffix(1);
  if (!of_root.empty()) {
    for (const auto& line : text::split(of_root, '\n')) hosts.add(line);
  }
  for (const auto& line : text::split(of_host, '\n')) {
    const auto entry = entry_of(line);
    if (entry.size() > 1 && !hosts.has_all_of(entry)) hosts.add(line);
  }
  if (!hosts.has("localhost", "127.0.0.1")) hosts.add("127.0.0.1\tlocalhost");
  if (!hosts.has("localhost", "::1")) hosts.add("::1\tlocalhost ip6-localhost ip6-loopback");
  if (!hosts.has(name)) hosts.add("127.0.1.1\t" + name);
  return hosts.text();
}

}  // namespace isolate
