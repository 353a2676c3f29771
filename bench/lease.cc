// Measures the latency of a lease for a member of the group: the time from connect(2) to isolated's reply with its
// descriptors. One case uses a pool with fresh clones (warm), the other one a pool without (empty), for which the
// daemon makes the clone during the call.
#include <fmt/core.h>
#include <time.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "command.h"
#include "harness.h"
#include "options.h"
#include "report.h"
#include "statistics.h"
#include "wire/client.h"

namespace isolate::bench {
namespace {

using wire::Json;

template <typename T>
Result<T> plain(wire::CallResult<T> result) {
  if (result) return std::move(*result);
  return fail(result.error().message);
}

Result<std::uint64_t> fresh_clones(const std::string& template_name, const std::string& store) {
  auto client = TRY(plain(wire::Client::connect()));
  const auto answer = TRY(plain(client.call("ListPools", Json::object())));
  for (const auto& pool : answer["pools"]) {
    if (pool["template"] == template_name && pool["store"] == store) return pool["fresh"].get<std::uint64_t>();
  }
  return fail("isolated has no pool of " + template_name + " in " + store);
}

struct Pool {
  std::string name;   // the template's name
  std::string store;  // the store's description, such as overlay:/DIR
};

Result<void> wait_for_fresh(const Pool& pool) {
  constexpr timespec kPause{0, 10'000'000};
  constexpr int kMostTries = 2000;
  for (int i = 0; i < kMostTries; ++i) {
    if (TRY(fresh_clones(pool.name, pool.store)) > 0) return {};
    ::nanosleep(&kPause, nullptr);
  }
  return fail("the pool of " + pool.name + " has had no fresh clone for 20 seconds");
}

Result<Sample> lease_once(const Pool& pool, bool warm) {
  if (warm) TRY_VOID(wait_for_fresh(pool));
  const auto kind = pool.store.substr(0, pool.store.find(':'));
  const Json parameters = {{"template", kind + ":" + pool.name}};
  const Stopwatch watch;
  auto client = TRY(plain(wire::Client::connect()));
  TRY(plain(client.call("Lease", parameters)));
  return watch.elapsed();
}

void print_quantiles(const std::vector<Measured>& rows) {
  for (const auto& row : rows) {
    fmt::print("{:<34} median {:8.3f} ms   p99 {:8.3f} ms\n", row.name, quantile(row.wall_ms, 0.5),
               quantile(row.wall_ms, 0.99));
  }
}

Result<void> run(const Options& options) {
  const auto store = TRY(options.text("store"));
  const Pool warm{TRY(options.text("warm")), store};
  const Pool empty{TRY(options.text("empty")), store};
  const int runs = TRY(options.count("runs"));
  const std::vector<Case> cases = {{"lease, pool with fresh clones", [&] { return lease_once(warm, true); }},
                                   {"lease, empty pool", [&] { return lease_once(empty, false); }}};
  print_title(fmt::format("Latency of a lease from {}: {} of each", store, runs));
  print_quantiles(TRY(measure(cases, runs, options.for_google_benchmark())));
  return {};
}

}  // namespace
}  // namespace isolate::bench

int main(int argc, char** argv) {
  return isolate::bench::run_main(argc, argv, {"store", "warm", "empty", "runs"}, isolate::bench::run);
}
