// The list of a generation's layers, a file of the store, as OverlayStore::newest_generation() reads it. An accepted
// list contains directories directly below layers/ of its own template.
#include <cstdint>

#include "base/text.h"
#include "directory.h"
#include "fuzz.h"
#include "store/overlay_store.h"

namespace isolate::fuzz {
namespace {

// A store with one template of one generation, whose list is the input.
class Place {
 public:
  Place() : owner_(Caller::current()), list_(directory_.path() + "/templates/t/generations", "1"), store_(open()) {}

  Result<Generation> read(std::string_view list) {
    list_.write(list);
    return store_.newest_generation("t");
  }
  std::string layers() const { return directory_.path() + "/templates/t/layers/"; }

 private:
  OverlayStore open() {
    auto store = OverlayStore::open(directory_.path(), &owner_);
    expect(store.has_value(), "the store can be opened");
    return std::move(*store);
  }

  Directory directory_;
  OwnerNamespace owner_;
  File list_;
  OverlayStore store_;
};

std::string written_out(const Generation& generation, std::size_t prefix) {
  std::string lines;
  for (const auto& layer : generation.layers) lines += layer.substr(prefix) + "\n";
  return lines;
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::Place place;
  const auto generation = place.read(fuzz::as_text(data, size));
  if (!generation) {
    fuzz::expect_printable(generation.error());
    return 0;
  }
  fuzz::expect(generation->number == 1 && !generation->layers.empty(), "a generation has layers");
  for (const auto& layer : generation->layers) {
    fuzz::expect(layer.starts_with(place.layers()), "a layer is the template's own", layer);
    const auto name = layer.substr(place.layers().size());
    fuzz::expect(text::number(name, "layer", 1, 1U << 30).has_value(), "a layer's name is a number", name);
  }
  const auto again = place.read(fuzz::written_out(*generation, place.layers().size()));
  fuzz::expect(again && again->layers == generation->layers, "a list that is written out again is read as the same");
  return 0;
}
