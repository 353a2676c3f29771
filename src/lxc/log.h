// Extracts errors from LXC's log.
#pragma once

#include <string>
#include <string_view>

namespace isolate::lxc {

// Returns the messages of all errors in a log as one line, without the times and the places in LXC's source.
std::string messages_of(std::string_view log);
// The same for a file. If the file can't be read or contains no errors, it returns a text that says so.
std::string errors_in_log(const std::string& log_file);

}  // namespace isolate::lxc
