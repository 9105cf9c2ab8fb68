// train_file TEXTS VOCABULARY_SIZE FOLDER [threads] [pattern] [memory]: trains on length-prefixed texts and
// saves the tokenizer.
//
// TEXTS is as for encode_file. For the comparisons and timings in tools/.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "text/bpe_train.h"

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: train_file TEXTS VOCABULARY_SIZE FOLDER [threads] [pattern] [memory]\n");
    return 2;
  }
  try {
    const std::string texts = fude::read_file(argv[1]);
    fude::BpeTrainOptions options;
    options.vocabulary_size = std::atoll(argv[2]);
    options.threads = argc > 4 ? std::atoi(argv[4]) : 1;
    options.steps = {{fude::SplitStep::Kind::pattern, std::string(fude::named_pattern(argc > 5 ? argv[5] : "gpt2"))}};
    if (argc > 6) options.memory_limit = std::strtoull(argv[6], nullptr, 10);
    options.special_tokens = {"<|endoftext|>"};
    size_t at = 0;
    const double start = fude::now_seconds();
    double counted = start;
    const auto result = fude::train_bpe(
        options,
        [&](std::string& document) {
          if (at + 4 > texts.size()) return false;
          uint32_t size;
          std::memcpy(&size, texts.data() + at, 4);
          document.assign(texts, at + 4, size);
          at += 4 + size;
          return true;
        },
        [&](const fude::BpeTrainProgress& progress) {
          if (progress.entries == 0) counted = fude::now_seconds();
        });
    const double end = fude::now_seconds();
    std::fprintf(stderr, "%.1f MB, %llu pieces, %llu distinct, pruned %llu; counted in %.2f s, merged in %.2f s\n",
                 double(result.text_bytes) / 1e6, static_cast<unsigned long long>(result.pieces),
                 static_cast<unsigned long long>(result.distinct_pieces),
                 static_cast<unsigned long long>(result.pruned_pieces), counted - start, end - counted);
    fude::save_tokenizer(argv[3], result.tokenizer, "<|endoftext|>");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
