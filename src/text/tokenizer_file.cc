// Which reader a path means, and what tiktoken's own rank files leave unsaid: their pattern and special tokens.
#include "text/tokenizer_file.h"

#include "base/error.h"
#include "base/file.h"
#include "text/sentencepiece.h"

namespace fude {
namespace {

constexpr uint64_t kFileLimit = 512 << 20;

struct KnownRanks {
  std::string_view file, pattern;
  std::vector<AddedToken> special;
};

const KnownRanks* find_known(std::string_view file) {
  static const KnownRanks kKnown[] = {
      {"o200k_base.tiktoken", "o200k", {{199999, "<|endoftext|>"}, {200018, "<|endofprompt|>"}}},
      {"cl100k_base.tiktoken",
       "cl100k",
       {{100257, "<|endoftext|>"},
        {100258, "<|fim_prefix|>"},
        {100259, "<|fim_middle|>"},
        {100260, "<|fim_suffix|>"},
        {100276, "<|endofprompt|>"}}},
      {"gpt2.tiktoken", "gpt2", {{50256, "<|endoftext|>"}}},
      {"r50k_base.tiktoken", "gpt2", {{50256, "<|endoftext|>"}}},
  };
  for (const KnownRanks& known : kKnown)
    if (known.file == file) return &known;
  return nullptr;
}

TokenizerData read_ranks(const std::string& path, std::string_view pattern) {
  const KnownRanks* known =
      pattern.empty() ? find_known(std::string_view(path).substr(path.find_last_of('/') + 1)) : nullptr;
  require(known != nullptr || !pattern.empty(),
          "[{}] a rank file does not say how text is cut: give a pattern (gpt2, cl100k, llama3, qwen2, o200k)", path);
  if (known != nullptr) pattern = known->pattern;
  TokenizerData data;
  data.vocabulary = vocabulary_from_ranks(parse_ranks(read_file(path, kFileLimit), path));
  data.steps = {{SplitStep::Kind::pattern,
                 is_pattern_name(pattern) ? std::string(named_pattern(pattern)) : canonical_pattern(pattern)}};
  if (known != nullptr) data.added = known->special;
  return data;
}

}  // namespace

TokenizerData read_tokenizer(const std::string& path, std::string_view pattern) {
  if (path.ends_with(".tiktoken")) return read_ranks(path, pattern);
  if (path.ends_with(".model")) return parse_sentencepiece(read_file(path, kFileLimit), path);
  if (path.ends_with(".json")) return parse_tokenizer_json(read_file(path, kFileLimit), path);
  const std::string file = path + "/tokenizer.json", model = path + "/tokenizer.model";
  TokenizerData data = read_tokenizer(file_exists(model) && !file_exists(file) ? model : file);
  read_tokenizer_config(path, data);
  return data;
}

}  // namespace fude
