// The file of a lease, as `isolatectl ps` and garbage collection read it, through Pool::kept(), the smallest entry.
// Whatever the file contains, the names of the clone and the template come from its place, and a number is the one in
// the file, or 0.
#include "pool/lease.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "directory.h"
#include "fuzz.h"
#include "store/overlay_store.h"

namespace isolate::fuzz {
namespace {

// A pool with one kept clone, whose file is the input.
class Place {
 public:
  Place()
      : owner_(Caller::current()),
        store_(OverlayStore::open(directory_.path() + "/store", &owner_, MissingStore::create)),
        file_(directory_.path() + "/store/pools/t/kept", "t-clone") {
    expect(store_.has_value(), "a store can be made");
    pool_.emplace(&*store_, "t");
  }

  LeaseInfo read(std::string_view text) {
    file_.write(text);
    const auto infos = pool_->kept();
    expect(infos.has_value() && infos->size() == 1, "a damaged file does not hide a clone");
    return infos->front();
  }

 private:
  Directory directory_;
  OwnerNamespace owner_;
  Result<OverlayStore> store_;
  File file_;
  std::optional<Pool> pool_;
};

// Returns the number in the file if it is from 0 to `most`; otherwise 0.
std::uint64_t number_in(const nlohmann::json& json, const char* key, std::uint64_t most) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_number_unsigned()) return 0;
  const auto value = json[key].get<std::uint64_t>();
  return value <= most ? value : 0;
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::Place place;
  const auto text = fuzz::as_text(data, size);
  const auto info = place.read(text);
  fuzz::expect(info.clone_id == "t-clone" && info.template_name == "t", "a file can't give a clone another name");
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto seen = [](auto number) { return std::to_string(number); };
  fuzz::expect(info.generation == fuzz::number_in(json, "generation", UINT64_MAX),
               "a generation is the one in the file, or 0", seen(info.generation));
  fuzz::expect(static_cast<std::uint64_t>(info.pid) == fuzz::number_in(json, "pid", INT64_MAX),
               "a pid is the one in the file, or 0", seen(info.pid));
  fuzz::expect(static_cast<std::uint64_t>(info.since) == fuzz::number_in(json, "since", INT64_MAX),
               "a time is the one in the file, or 0", seen(info.since));
  fuzz::expect(text.size() >= info.engine.size() + info.user.size(), "words come from the file");
  return 0;
}
