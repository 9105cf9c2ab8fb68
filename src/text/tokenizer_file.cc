// Which reader a path means, and what tiktoken's own rank files leave unsaid: their pattern and special tokens.
#include "text/tokenizer_file.h"

#include <algorithm>

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

const std::vector<KnownRanks>& known_ranks() {
  static const std::vector<KnownRanks> kKnown = {
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
  return kKnown;
}

// Those of tiktoken with the file's name. Error if there are none.
const KnownRanks& known_by_name(const std::string& path) {
  const std::string_view file = std::string_view(path).substr(path.find_last_of('/') + 1);
  std::string names;
  for (const KnownRanks& known : known_ranks()) {
    if (known.file == file) return known;
    names.append(names.empty() ? "" : ", ").append(known.file);
  }
  fail("[{}] a rank file does not say how text is cut; expected a name that tells ({}) or a pattern, got {}", path,
       names, file);
}

TokenizerData read_ranks(const std::string& path, std::string_view pattern) {
  const KnownRanks* known = pattern.empty() ? &known_by_name(path) : nullptr;
  TokenizerData data;
  data.vocabulary = vocabulary_from_ranks(parse_ranks(read_file(path, kFileLimit), path));
  data.steps = {{SplitStep::Kind::pattern, pattern_called(known ? known->pattern : pattern)}};
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

bool save_ranks(const std::string& path, const TokenizerData& data) {
  require(data.vocabulary.kind == Vocabulary::Kind::bytes,
          "[save_ranks] expected a byte-level vocabulary, which is all that a rank file can hold");
  std::vector<std::string> ranked = data.vocabulary.tokens;
  for (const AddedToken& token : data.added)
    if (size_t(token.id) < ranked.size()) ranked[size_t(token.id)].clear();
  write_file(path, ranks_text(ranked));
  return std::ranges::equal(
      vocabulary_from_ranks(std::move(ranked)).merges, data.vocabulary.merges,
      [](const Merge& a, const Merge& b) { return a.left == b.left && a.right == b.right && a.result == b.result; });
}

}  // namespace fude
