// HOST:TARGET[:ro|:rw] or HOST[:ro|:rw], the value of -d. An accepted bind has a target below the guest's root that is
// not the root itself or /proc. Written out and parsed again, it is the same bind.
#include <cstdint>

#include "base/text.h"
#include "fuzz.h"
#include "request/request.h"

namespace isolate::fuzz {
namespace {

void expect_place_below_root(const std::string& target) {
  expect(target.starts_with('/'), "a target begins with '/'", target);
  std::string first;
  for (const auto& name : text::split(target, '/')) {
    expect(name != "." && name != "..", "a target has no name '.' or '..'", target);
    if (first.empty()) first = name;
  }
  expect(!first.empty() && first != "proc", "a target is neither the root nor below /proc", target);
}

void expect_same_again(const Bind& bind) {
  // After a backslash a colon belongs to the name.
  if (bind.source.ends_with('\\') || bind.target.ends_with('\\')) return;
  const std::string mode = bind.read_only ? ":ro" : "";
  const auto again = parse_bind(escaped_colons(bind.source) + ":" + escaped_colons(bind.target) + mode);
  expect(again && *again == bind, "a bind that is written out again is read as the same", bind.target);
}

}  // namespace
}  // namespace isolate::fuzz

using namespace isolate;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::as_text(data, size);
  const auto bind = parse_bind(text);
  if (!bind) {
    fuzz::expect_printable(bind.error());
    return 0;
  }
  fuzz::expect(!bind->source.empty(), "the source has a name");
  const bool has_escapes = text.find("\\:") != std::string_view::npos;
  fuzz::expect(has_escapes || text.starts_with(bind->source), "the source is what the text begins with");
  fuzz::expect_place_below_root(bind->target);
  const bool ends_in_ro = text.ends_with(":ro") && !text.ends_with("\\:ro");
  fuzz::expect(bind->read_only == ends_in_ro, "a bind is read-only if and only if it ends with ':ro'");
  fuzz::expect_same_again(*bind);
  return 0;
}
