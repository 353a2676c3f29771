#include "lxc/log.h"

#include "base/text.h"
#include "linux/file.h"

namespace isolate::lxc {

// A line of the log looks like this:
// "lxc NAME TIME ERROR    part - ../src/lxc/part.c:function:123 - Operation not permitted - Failed to do it"
std::string messages_of(std::string_view log) {
  std::string messages;
  for (const auto& line : text::split(log, '\n')) {
    const auto level = line.find(" ERROR ");
    const auto place = line.find(" - ", level);
    const auto message = place == std::string::npos ? place : line.find(" - ", place + 3);
    if (level == std::string::npos || message == std::string::npos) continue;
    if (!messages.empty()) messages += "; ";
    messages += line.substr(message + 3);
  }
  return text::printable(messages);
}

std::string errors_in_log(const std::string& log_file) {
  const auto log = read_file(log_file);
  const auto messages = log ? messages_of(*log) : std::string();
  return messages.empty() ? "LXC gave no reason" : messages;
}

}  // namespace isolate::lxc
