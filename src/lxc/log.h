// What LXC writes into its log.
#pragma once

#include <string>
#include <string_view>

namespace isolate::lxc {

// The messages of the errors in a log, in one line, without times and places in LXC's source.
std::string messages_of(std::string_view log);
// The same of a file; where nothing can be read it says so.
std::string what_failed(const std::string& log_file);

}  // namespace isolate::lxc
