#include <fmt/format.h>

#include "base/log.h"
#include "isolatectl/commands.h"
#include "isolatectl/interruption.h"

namespace isolate {

Result<void> create_template(Context& context, const CreateOptions& options) {
  Interruption::catch_signals();
  auto source = TRY(parse_template_source(options.from));
  source.debian.mirrors = options.mirrors;
  source.debian.variant = options.variant;
  source.debian.include = options.include;
  source.any_content = options.force;

  const auto store = TRY(context.target());
  const auto layer = TRY(store->begin_template(options.name));
  Progress progress("template " + options.name, context.quiet());
  auto made = fill_layer(source, layer, &context.owner(), &progress);
  if (made) made = Interruption::check();
  if (made) {
    progress.show(98, "writing to disk");
    made = store->publish_template(options.name, layer, source.description);
  }
  if (!made) {
    if (auto discarded = store->discard_draft(layer); !discarded) {
      log::warning(fmt::format("{}; isolatectl gc tries again", discarded.error().message()));
    }
    return made;
  }
  progress.show(100, "done");
  return remember_store(context.main_store(), store->description());
}

}  // namespace isolate
