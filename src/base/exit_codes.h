// The exit statuses of isolate that are not those of the command.
#pragma once

namespace isolate {

constexpr int kTimedOut = 124;
constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kBySignal = 128;  // plus the number of the signal that ended the command

}  // namespace isolate
