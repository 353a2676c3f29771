// isolatectl ps and kill
#include <fmt/format.h>
#include <time.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "isolatectl/commands.h"
#include "isolatectl/daemon.h"
#include "isolatectl/output.h"
#include "isolatectl/table.h"
#include "linux/idmap.h"
#include "pool/disk_use_count.h"
#include "pool/end_lease.h"
#include "pool/lease_processes.h"

namespace isolate {
namespace {

// A lease's file has the user's number. Returns their name, or the text itself if there is no such user.
std::string user_text(const std::string& uid) {
  auto number = text::number(uid, "uid", 0, 0xffffffff);
  if (!number) return uid;
  auto name = user_name(static_cast<std::uint32_t>(*number));
  return name.empty() ? uid : name;
}

struct LeaseRow {
  LeaseInfo info;
  DiskUse disk;
  std::uint64_t age = 0;  // seconds
  LeaseUsage usage;
};

std::uint64_t age_of(const LeaseInfo& info) {
  const auto now = ::time(nullptr);
  return now > info.since ? static_cast<std::uint64_t>(now - info.since) : 0;
}

std::optional<std::uint64_t> number_in(const Json& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

LeaseRow row_of_daemon(const Json& row) {
  LeaseInfo info;
  info.clone_id = row.value("lease", "?");
  info.template_name = row.value("template", "?");
  info.engine = row.value("engine", "?");
  info.user = row.value("user", "?");
  info.pid = row.value("pid", std::int64_t{0});
  info.since = row.value("since", std::int64_t{0});
  info.waits = row.value("waits", false);
  return {info,
          {row.value("bytes", std::uint64_t{0}), !row.value("bytesIncomplete", false)},
          age_of(info),
          {number_in(row, "cpuUsec"), number_in(row, "memoryBytes"), number_in(row, "tasks")}};
}

Result<std::vector<LeaseRow>> lease_rows(Context& context, bool kept) {
  std::vector<LeaseRow> rows;
  const auto processes = kept ? ProcessTable() : TRY(ProcessTable::read());
  DiskUseCount count;
  for (const auto& store : TRY(context.stores())) {
    for (const auto& name : TRY(pool_names(*store))) {
      const Pool pool(store.get(), name);
      const auto infos = TRY(kept ? pool.kept() : pool.leases());
      count.expect(infos.size());
      for (const auto& info : infos) {
        auto disk = count.use_of(store.get(), info.clone_id);
        if (!disk) continue;  // the clone is gone: the run has ended since the list was read
        rows.push_back({info, *disk, age_of(info), kept ? LeaseUsage{} : lease_usage(pool, info, processes)});
      }
    }
  }
  if (kept) return rows;
  for (const auto& row : TRY(ask_daemon(context, "ListLeases", "leases"))) rows.push_back(row_of_daemon(row));
  return rows;
}

Json json_of(const std::optional<std::uint64_t>& number) { return number ? Json(*number) : Json(nullptr); }

std::string engine_text(const LeaseInfo& info, bool kept) {
  if (kept && info.edit) return "edit";
  return info.engine + (info.waits ? ", waits" : "");
}

Json json_of(const LeaseRow& row, bool kept) {
  Json json = {{"clone", row.info.clone_id},
               {"user", user_text(row.info.user)},
               {"template", row.info.template_name},
               {"generation", row.info.generation},
               {"engine", row.info.engine},
               {"pid", row.info.pid},
               {"waits", row.info.waits},
               {"age", row.age},
               {"bytes", row.disk.bytes},
               {"bytes_incomplete", !row.disk.is_complete}};
  if (kept) {
    json["draft"] = row.info.edit;
    return json;
  }
  json["cpu_usec"] = json_of(row.usage.cpu_usec);
  json["memory_bytes"] = json_of(row.usage.memory_bytes);
  json["tasks"] = json_of(row.usage.tasks);
  return json;
}

std::string time_used(std::uint64_t microseconds) {
  constexpr std::uint64_t kSecond = 1'000'000;
  if (microseconds >= 60 * kSecond) return text::human_duration(microseconds / kSecond);
  return fmt::format("{:.2f}s", static_cast<double>(microseconds) / kSecond);
}

std::string count(std::uint64_t number) { return std::to_string(number); }

std::string cell(const std::optional<std::uint64_t>& number, std::string (*shown)(std::uint64_t)) {
  return number ? shown(*number) : "-";
}

}  // namespace

Result<void> list_leases(Context& context, bool kept) {
  const auto leases = TRY(lease_rows(context, kept));
  if (context.json()) {
    Json list = Json::array();
    for (const auto& lease : leases) list.push_back(json_of(lease, kept));
    return print(list);
  }
  std::vector<std::vector<std::string>> rows = {{"CLONE", "USER", "TEMPLATE", "ENGINE", "AGE", "DISK"}};
  if (!kept) rows[0].insert(rows[0].end(), {"CPU", "MEMORY", "TASKS"});
  for (const auto& [info, disk, age, usage] : leases) {
    rows.push_back({info.clone_id, user_text(info.user), info.template_name, engine_text(info, kept),
                    text::human_duration(age), (disk.is_complete ? "" : ">") + text::human_size(disk.bytes)});
    if (kept) continue;
    rows.back().insert(rows.back().end(), {cell(usage.cpu_usec, time_used), cell(usage.memory_bytes, text::human_size),
                                           cell(usage.tasks, count)});
  }
  return print(table(rows));
}

Result<std::optional<LeasePlace>> find_own_lease(Context& context, const std::string& clone_id) {
  for (auto& store : TRY(context.stores())) {
    for (const auto& name : TRY(pool_names(*store))) {
      auto info = TRY(find_lease(Pool(store.get(), name), clone_id));
      if (info) return std::optional(LeasePlace{std::move(store), std::move(*info)});
    }
  }
  return std::optional<LeasePlace>();
}

Error no_lease(const std::string& clone_id) {
  return Error("no lease '" + text::printable(clone_id) + "' of yours is running").advise("isolatectl ps lists yours");
}

Result<void> kill_lease(Context& context, const std::string& clone_id) {
  const auto place = TRY(find_own_lease(context, clone_id));
  if (!place) {
    if (TRY(kill_by_daemon(context, clone_id))) return {};
    return fail(no_lease(clone_id));
  }
  Pool pool(place->store.get(), place->info.template_name);
  auto ended = end_lease(pool, place->info);
  if (!ended && ended.error().code() == ESRCH) {
    return fail("lease " + clone_id + " ended by itself before isolatectl could end it");
  }
  TRY_VOID(std::move(ended));
  // If the run's isolate had to be killed, it has left its clone behind. Remove it now.
  return TRY(pool.reap(ReapLimits{})).failure;
}

}  // namespace isolate
