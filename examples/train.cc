// From a text to a model: train TEXT OUT. A tokenizer, token shards and a small Transformer, each kept in the
// folder OUT; started again after an interruption, training goes on from its last checkpoint. OUT/model then opens in
// the other examples, in `fude generate` and in transformers.
#include <fude/data.h>
#include <fude/model.h>
#include <fude/text.h>
#include <fude/train.h>

#include <cstdio>

using namespace fude;

int main(int argc, char** argv) try {
  require(argc == 3, "usage: train TEXT OUT");
  const std::string text = argv[1], out = argv[2];

  DocumentStream documents({text});
  BpeTrainOptions bpe{.vocabulary_size = 512, .special_tokens = {"<|endoftext|>"}};
  bpe.steps = {{SplitStep::Kind::pattern, std::string(named_pattern("o200k"))}};
  const auto next = [&](std::string& into) {
    auto document = documents.next();
    if (document) into = std::move(document->text);
    return document.has_value();
  };
  const Tokenizer tokenizer(train_bpe(bpe, next).tokenizer);

  DocumentStream again({text});
  write_shards(
      again, [&](std::string_view from, std::vector<TokenId>& to) { tokenizer.encode_into(from, to); },
      {.folder = out + "/shards", .vocabulary = tokenizer.vocabulary_size(), .tokenizer_hash = tokenizer.hash()});
  Mixture mixture({{std::make_shared<ShardSet>(out + "/shards"), 1.0}}, /*seed=*/1);
  Loader loader(std::move(mixture),
                {.packing = {.row_tokens = 64}, .end_of_text = *tokenizer.find_special("<|endoftext|>")});

  ModelConfig shape;
  shape.vocabulary = tokenizer.vocabulary_size(), shape.context = 64;
  shape.width = 64, shape.layers = 2, shape.heads = 2, shape.kv_heads = 1, shape.head_size = 32,
  shape.feed_forward = 128;
  Device device;
  Transformer model(device, shape);
  model.initialise(/*seed=*/1);

  TrainerOptions options;
  options.folder = out + "/run";
  options.save_every = 10;
  options.schedule = {.learning_rate = 3e-3, .steps = 40, .warmup_steps = 4};
  options.on_step = [](const StepMetrics& m) { std::printf("step %lld  loss %.3f\n", (long long)m.step, m.loss); };
  LoadedBatches batches(loader, /*blocks=*/1, options.rows_per_block);
  Trainer trainer(model, default_kernels(), batches, /*validation=*/{}, options);
  trainer.run();

  save_model(model, out + "/model", tokenizer_files(tokenizer.data(), "<|endoftext|>"));
  std::printf("saved %s/model\n", out.c_str());
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
