// fude pull: models from where they are published into the cache, and the list of those that Fude knows.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/pipeline.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/progress.h"
#include "fetch/pull.h"

namespace fude {
namespace {

struct PullOptions {
  std::string model;
  bool accepts_terms = false;
};

void print_catalogue(const CommonOptions& common) {
  for (const CatalogueEntry& entry : catalogue()) {
    const bool here = is_cached(entry);
    if (common.json) {
      Json json = {{"name", entry.name}, {"about", entry.about},   {"licence", entry.licence},
                   {"size", entry.size}, {"sha256", entry.sha256}, {"repository", entry.hub_repository},
                   {"cached", here}};
      if (!entry.terms.empty()) json["terms"] = entry.terms;
      if (here) json["path"] = cached_path(entry);
      std::printf("%s\n", json.dump().c_str());
      continue;
    }
    std::printf("%s\n  %s\n  %s, %.1f MB, published at huggingface.co/%s\n  %s\n", entry.name.c_str(),
                entry.about.c_str(), entry.licence.c_str(), double(entry.size) / 1e6, entry.hub_repository.c_str(),
                here ? cached_path(entry).c_str() : ("not here yet: fude pull " + entry.name).c_str());
  }
}

// Error unless the terms are accepted, on the command line or now.
void require_accepted(const CatalogueEntry& entry, bool accepts_terms) {
  if (entry.terms.empty() || accepts_terms) return;
  std::fprintf(stderr, "%s comes under the %s: %s\n", entry.name.c_str(), entry.licence.c_str(), entry.terms.c_str());
  std::string answer;
  if (::isatty(STDIN_FILENO) != 0) {
    std::fprintf(stderr, "Do you accept them? [y/N] ");
    std::getline(std::cin, answer);
  }
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw UsageError(fmt::format("[pull] {} needs your consent to its terms: read {} and give --accept-terms",
                                 entry.name, entry.terms));
}

// Ends a download at Ctrl-C.
struct StoppedPull {};

void run_pull(const PullOptions& o, const CommonOptions& common) {
  if (o.model.empty()) return print_catalogue(common);
  const CatalogueEntry* entry = find_in_catalogue(o.model);
  if (entry == nullptr && !is_hub_name(o.model)) {
    std::string known;
    for (const CatalogueEntry& each : catalogue()) known.append(each.name).append(", ");
    fail("[pull] expected {}or a repository at Hugging Face, org/name or org/name:file; got '{}'", known, o.model);
  }
  if (entry != nullptr && !is_cached(*entry)) require_accepted(*entry, o.accepts_terms);
  Progress progress = progress_on_stderr();
  ProgressState state{.label = "pull", .unit = "MB"};
  double began = 0;
  const PullEvents events{
      .begin = [&](const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()), began = 0; },
      .failed = [](const std::string& why) { std::fprintf(stderr, "  %s\n", why.c_str()); },
      .progress =
          [&](uint64_t done, uint64_t total) {
            if (interrupted) throw StoppedPull();
            state.done = int64_t(done / 1000000), state.total = int64_t((total + 999999) / 1000000);
            // What an earlier run got is no part of the rate.
            if (began == 0) began = now_seconds(), state.skipped = state.done;
            state.seconds = now_seconds() - began;
            progress.update(state, now_seconds());
          }};
  watch_interrupts();
  std::string path;
  try {
    path = entry != nullptr ? pull(*entry, events) : pull(parse_hub_name(o.model), events);
  } catch (const StoppedPull&) {
    progress.finish(state);
    std::fprintf(stderr, "stopped; the next fude pull %s goes on from here\n", o.model.c_str());
    return;
  }
  if (began != 0) state.done = state.total, progress.finish(state);
  if (common.json)
    std::printf("%s\n", Json{{"model", o.model}, {"path", path}}.dump().c_str());
  else
    std::printf("%s\n", path.c_str());
}

}  // namespace

void add_pull(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<PullOptions>();
  CLI::App* command = app.add_subcommand(
      "pull",
      "get a model, or list those that are known\n\n"
      "Without a name: the models that Fude knows, and which of them are here. With one: it is fetched from where it\n"
      "is published, checked, and kept in ~/.cache/fude/models; from then on it needs no network. Commands take the\n"
      "name in place of a path: fude chat smollm2. A download that was stopped goes on when it is started again.\n\n"
      "HF_TOKEN is sent for models that are not public, HF_ENDPOINT names another hub, XDG_CACHE_HOME another place\n"
      "for the cache (then fude/models in it); packages come from where pip is set to look.");
  command->add_option("model", options->model,
                      "a name of the list, or a repository at Hugging Face: org/name, or org/name:file");
  command->add_flag("--accept-terms", options->accepts_terms, "consent to the terms under which the model comes");
  command->callback([=, &common] { run_pull(*options, common); });
}

}  // namespace fude
