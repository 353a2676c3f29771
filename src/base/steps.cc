#include "base/steps.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>

#include <cstdint>

#include "base/trace.h"

namespace isolate {
namespace {

std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

}  // namespace

Result<Steps> Steps::make() {
  void* memory = ::mmap(nullptr, sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(errno, "mmap");
  auto* table = static_cast<Table*>(memory);  // zeroed by the kernel
  table->first_start = table->last_end = now();
  return Steps(table);
}

Steps::~Steps() {
  if (table_ != nullptr) ::munmap(table_, sizeof(Table));
}

std::int64_t Steps::begin(const char* name) {
  if (trace::enabled()) trace::line(std::string("step ") + name);
  return now();
}

void Steps::add(const char* name, std::int64_t nanoseconds) {
  if (table_->count < table_->entries.size()) table_->entries[table_->count++] = {name, nanoseconds};
}

void Steps::end(const char* name, std::int64_t start, const char* error) {
  table_->last_end = now();
  add(name, table_->last_end - start);
  if (error != nullptr && table_->failed == nullptr) table_->failed = name;
  if (trace::enabled()) trace::line(fmt::format("step {}: {}", name, error == nullptr ? "done" : error));
}

void Steps::record_since_last(const char* name) {
  const auto end = now();
  add(name, end - table_->last_end);
  table_->last_end = end;
  if (trace::enabled()) trace::line(fmt::format("step {}: done", name));
}

void Steps::restart() {
  *table_ = Table{};
  table_->first_start = table_->last_end = now();
}

std::string Steps::first_failure() const { return table_->failed == nullptr ? "" : table_->failed; }

std::vector<std::string> Steps::timing_lines() const {
  std::vector<std::string> lines;
  for (std::uint32_t i = 0; i < table_->count; ++i) {
    lines.push_back(fmt::format("timing: {} {}", table_->entries[i].name, table_->entries[i].nanoseconds / 1000));
  }
  lines.push_back(fmt::format("timing: total {}", (now() - table_->first_start) / 1000));
  return lines;
}

}  // namespace isolate
