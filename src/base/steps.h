// Steps: the named steps of a run, with the time that each took and the one that failed. Shared between isolate and the
// child that sets the guest up, so that one table tells about both.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.h"
#include "base/result.h"

namespace isolate {

class Steps {
 public:
  // Errors: ENOMEM.
  static Result<Steps> make();
  Steps(Steps&& other) noexcept : table_(std::exchange(other.table_, nullptr)) {}
  Steps& operator=(Steps&&) = delete;
  ~Steps();

  // Does one step. `name` must live as long as the program. With -x the step and its result are traced.
  // In a build with fault points, ISOLATE_FAULT=NAME makes the step fail, and ISOLATE_FAULT=NAME:kill kills the
  // process.
  template <typename Body>
  auto run(const char* name, Body&& body) -> decltype(body()) {
    const std::int64_t start = begin(name);
    if (auto fault = injected_fault(name)) {
      end(name, start, fault->message().c_str());
      return fail(std::move(*fault));
    }
    auto outcome = body();
    end(name, start, outcome ? nullptr : outcome.error().message().c_str());
    return outcome;
  }

  // For what is not done by a function call: from the end of the last step until now.
  void record_since_last(const char* name);

  // The first step that failed, empty if none did.
  std::string failed() const;
  // "timing: STEP MICROSECONDS", a line a step in the order of their ends, and the total.
  std::vector<std::string> timing_lines() const;

 private:
  struct Entry {
    const char* name;
    std::int64_t nanoseconds;
  };
  struct Table {
    std::int64_t first_start;
    std::int64_t last_end;
    const char* failed;
    std::uint32_t count;
    std::array<Entry, 120> entries;
  };
  explicit Steps(Table* table) : table_(table) {}
  static std::int64_t begin(const char* name);
  void end(const char* name, std::int64_t start, const char* error);
  void add(const char* name, std::int64_t nanoseconds);

  Table* table_;
};

}  // namespace isolate
