// fude bench tokenizer: training, encoding and decoding.
#include "app/bench.h"
#include "data/documents.h"
#include "tasks/life_corpus.h"
#include "text/bpe_train.h"
#include "text/chat_format.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

std::vector<std::string> documents_of(const TokenizerBenchOptions& options, bool quick) {
  std::vector<std::string> documents;
  if (options.inputs.empty()) {
    const LifeCorpus corpus(0);
    for (int64_t i = 0; i < (quick ? 2000 : 20000); ++i)
      documents.push_back(corpus.document(i).render({kUser, kAssistant, kEnd}));
  } else {
    DocumentStream stream(options.inputs);
    while (auto document = stream.next()) documents.push_back(std::move(document->text));
  }
  return documents;
}

TokenizerData train(const std::vector<std::string>& documents, const TokenizerBenchOptions& options, int threads) {
  BpeTrainOptions training;
  training.vocabulary_size = options.vocabulary;
  training.steps = {{SplitStep::Kind::pattern, std::string(named_pattern(options.pattern))}};
  training.threads = threads;
  size_t next = 0;
  return train_bpe(training,
                   [&](std::string& text) {
                     if (next == documents.size()) return false;
                     text = documents[next++];
                     return true;
                   })
      .tokenizer;
}

}  // namespace

void bench_tokenizer(Bench& bench, const TokenizerBenchOptions& options) {
  const std::vector<std::string> documents = documents_of(options, bench.options().quick);
  Threads& threads = bench.device().threads();
  double megabytes = 0;
  for (const std::string& text : documents) megabytes += 1e-6 * double(text.size());
  require(megabytes > 0, "[bench] expected some text");
  const auto measure = [&](const std::string& name, const std::function<void()>& work) {
    if (bench.wants(name)) bench.print(bench.measure(name, "MB/s", megabytes, work));
  };

  if (options.tokenizer.empty())
    measure(fmt::format("train {}", options.vocabulary), [&] { train(documents, options, threads.count()); });
  const Tokenizer tokenizer = options.tokenizer.empty() ? Tokenizer(train(documents, options, threads.count()))
                                                        : Tokenizer::load(options.tokenizer);
  std::vector<std::vector<TokenId>> encoded(documents.size());
  const auto encode = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      encoded[size_t(i)].clear();
      tokenizer.encode_into(documents[size_t(i)], encoded[size_t(i)]);
    }
  };
  encode(0, int64_t(documents.size()));
  measure("encode", [&] { encode(0, int64_t(documents.size())); });
  if (threads.count() > 1)
    measure(fmt::format("encode {} threads", threads.count()),
            [&] { threads.parallel_for(int64_t(documents.size()), 1, encode); });
  measure("decode", [&] {
    for (const auto& tokens : encoded) tokenizer.decode(tokens);
  });
}

}  // namespace fude
