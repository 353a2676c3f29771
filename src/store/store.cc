#include "store/store.h"

#include "base/text.h"

namespace isolate {

Result<void> check_template_name(std::string_view name) {
  constexpr std::size_t kLongest = 40;
  if (text::is_name(name, kLongest)) return {};
  return fail("'" + text::printable(name.substr(0, 60)) +
              "' is not a template name: 1 to 40 letters, digits, '.', '_' or '-', beginning with a letter or digit");
}

}  // namespace isolate
