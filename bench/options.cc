#include "options.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"

namespace isolate::bench {

Result<Options> Options::parse(int argc, char** argv, const std::vector<std::string>& known) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--benchmark_", 0) == 0) {
      options.for_google_benchmark_.push_back(argument);
      continue;
    }
    const auto equals = argument.find('=');
    if (argument.rfind("--", 0) != 0 || equals == std::string::npos)
      return fail(argument + " does not have the form --NAME=VALUE");
    const std::string name = argument.substr(2, equals - 2);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail("unknown option " + argument + "; the options are --" + text::join(known, ", --"));
    }
    options.values_[name] = argument.substr(equals + 1);
  }
  return options;
}

Result<std::string> Options::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return fail("option --" + name + "=VALUE is missing");
  return found->second;
}

std::string Options::text_if_given(const std::string& name) const { return text(name).value_or(""); }

Result<int> Options::count(const std::string& name) const {
  const std::string value = TRY(text(name));
  return static_cast<int>(TRY(text::number(value, "--" + name, 1, 2000000000)));
}

int run_main(int argc, char** argv, const std::vector<std::string>& known, Result<void> (*body)(const Options&)) {
  auto done = Options::parse(argc, argv, known).and_then([&](const Options& options) { return body(options); });
  if (done) return 0;
  std::fprintf(stderr, "%s: error: %s\n", argv[0], done.error().message().c_str());
  return 1;
}

}  // namespace isolate::bench
