// Steps: records the named steps of a run, how long each took, and which one failed first. The table lies in memory
// that isolate shares with the child that sets up the guest, so it covers the steps of both processes.
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
  // Maps the shared table. Errors: ENOMEM.
  static Result<Steps> make();
  Steps(Steps&& other) noexcept : table_(std::exchange(other.table_, nullptr)) {}
  Steps& operator=(Steps&&) = delete;
  ~Steps();

  // Runs `body` as the step `name`, which must point to a string that is never freed. With -x the step and its result
  // are traced. Every step is a fault point (base/fault.h) of the same name.
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

  // Records the time from the end of the last step until now as a step. For waiting that is not one function call.
  void record_since_last(const char* name);

  // Forgets all steps. The time for "total" begins now.
  void restart();

  // Returns the name of the first step that failed, or "" if none did.
  std::string first_failure() const;
  // Returns "timing: NAME MICROSECONDS" for each step in the order in which they ended, then the same for "total".
  // Steps beyond the size of the table are run but not listed.
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
