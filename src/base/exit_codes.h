// Exit statuses that isolate uses to report its own failures. Every other status is that of the command it ran.
#pragma once

namespace isolate {

constexpr int kTimedOut = 124;
constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kBySignal = 128;  // isolate adds the number of the signal that ended the command

}  // namespace isolate
