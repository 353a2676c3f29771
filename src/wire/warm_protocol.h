// What a run and the isolate of a warm guest send each other over a socket that keeps message boundaries. The run sends
// kMark and its request. The answer is kRefused and a reason, or kTaken. Then the run sends kStreams with
// StreamDescriptors: not before, because descriptors in a message that nobody receives would keep the caller's pipes
// open. From then on the run sends the signals that it gets, and the other side sends kEnded and the exit status of the
// run. A connection that is closed before kTaken means that another run was faster.
#pragma once

#include <cstdint>
#include <string_view>

namespace isolate::warm_protocol {

constexpr std::string_view kMark = "isolate-warm 1";
// It comes with a sealed file in memory, the request (warm/begin_request.h).
constexpr std::string_view kStreams = "streams";
// The status descriptor comes only with --status-fd.
enum StreamDescriptor { kInput, kOutput, kError, kNeededDescriptors, kStatus = kNeededDescriptors };
constexpr std::size_t kMostRequestBytes = 8 << 20;

constexpr std::string_view kTaken = "taken";
constexpr std::string_view kRefused = "refused ";
constexpr std::string_view kEnded = "ended ";
constexpr std::size_t kMostAnswerBytes = 4096;

// A signal that the run has received.
struct Signal {
  std::int32_t number;
  std::int32_t code;  // si_code of sigaction(2)
};

}  // namespace isolate::warm_protocol
