// fude info MODEL: configuration, tensors, and the memory it needs.
#include <cstdio>

#include "app/commands.h"
#include "base/json.h"
#include "base/progress.h"
#include "model/folder.h"

namespace fude {
namespace {

struct InfoOptions {
  std::string model;
  int64_t context = 0;
  bool tensors = false;
};

void run_info(const InfoOptions& o, const CommonOptions& common) {
  const ModelConfig config = read_config(o.model);
  Device counting(1, /*only_counts=*/true);
  const Transformer model(counting, config);
  const int64_t context = o.context == 0 ? config.context : o.context;
  const int64_t cache = context * config.layers * config.kv_heads * config.head_size * 2 * 4;
  if (common.json) {
    Json json = architecture_of(config.family).write(config);
    json["parameters"] = model.parameter_count();
    json["weight_bytes"] = counting.usage().total;
    json["cache_bytes"] = cache;
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  std::printf("family       %s\nparameters   %s\nlayers       %lld\nwidth        %lld\nheads        %lld (%lld for keys), of %lld\n",
              config.family.c_str(), quantity_text(double(model.parameter_count())).c_str(), (long long)config.layers,
              (long long)config.width, (long long)config.heads, (long long)config.kv_heads, (long long)config.head_size);
  std::printf("MLP          %lld\nvocabulary   %lld\ncontext      %lld\n", (long long)config.feed_forward,
              (long long)config.vocabulary, (long long)config.context);
  std::printf("memory       %.1f MiB weights + %.1f MiB keys and values at %lld tokens\n", double(counting.usage().total) / (1 << 20),
              double(cache) / (1 << 20), (long long)context);
  if (!o.tensors) return;
  for (const Parameter* p : model.parameters())
    for (const Segment& segment : p->segments())
      std::printf("  F32  [%lld, %lld]  %s\n", (long long)segment.rows, (long long)p->cols(), segment.name.c_str());
}

}  // namespace

void add_info(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command = app.add_subcommand("info", "what a model folder holds and needs");
  command->add_option("model", options->model, "model folder")->required();
  command->add_option("--context", options->context, "tokens to count keys and values for; 0: the model's");
  command->add_flag("--tensors", options->tensors, "list the tensors");
  command->callback([=, &common] { run_info(*options, common); });
}

}  // namespace fude
