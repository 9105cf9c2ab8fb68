#include "text/bpe_train.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "tests/reference/text_reference.h"
#include "text/byte_names.h"
#include "text/tokenizer.h"

namespace fude {
namespace {

BpeTrainResult train(const BpeTrainOptions& options, const std::vector<std::string>& documents) {
  size_t at = 0;
  return train_bpe(options, [&](std::string& document) {
    if (at == documents.size()) return false;
    document = documents[at++];
    return true;
  });
}

std::vector<std::pair<std::string, std::string>> merged_strings(const BpeTrainResult& result) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto& vocabulary = result.tokenizer.vocabulary;
  for (const Merge& merge : vocabulary.merges)
    out.push_back({vocabulary.tokens[size_t(merge.left)], vocabulary.tokens[size_t(merge.right)]});
  return out;
}

std::vector<SplitStep> gpt2_steps() { return {{SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))}}; }

std::string random_letters(Random& random, size_t length, size_t alphabet) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += char('a' + random.below(1 + random.below(alphabet)));
  return text;
}

TEST(BpeTrain, EqualsTheDefinition) {
  Random random{5, 1};
  for (int n = 0; n < 60; ++n) {
    std::vector<std::string> documents;
    std::map<std::string, int64_t> words;
    for (int k = 0; k < 30; ++k) {
      // Each document is one piece; few letters, so that runs and overlaps are frequent.
      documents.push_back(random_letters(random, 1 + random.below(14), 2 + size_t(n) % 4));
      ++words[documents.back()];
    }
    BpeTrainOptions options;
    options.vocabulary_size = 256 + 60;
    options.min_frequency = 1 + n % 3;
    const BpeTrainResult result = train(options, documents);
    std::map<std::string, TokenId> ids;
    const auto& tokens = result.tokenizer.vocabulary.tokens;
    for (TokenId id = 0; id < 256; ++id) ids[tokens[size_t(id)]] = id;
    const auto ours = merged_strings(result);
    ASSERT_EQ(ours, reference::train(words, ids, ours.size() + (tokens.size() < 316), options.min_frequency));
  }
}

TEST(BpeTrain, EqualsHuggingFace) {
  const std::string folder = std::string(FUDE_SOURCE_DIR) + "/tests/goldens/text/";
  const Json golden = parse_json(read_file(folder + "train.json"), "train.json");
  BpeTrainOptions options;
  options.vocabulary_size = golden["vocabulary_size"];
  options.min_frequency = golden["min_frequency"];
  options.special_tokens = golden["special_tokens"].get<std::vector<std::string>>();
  options.steps = gpt2_steps();
  const BpeTrainResult result = train(options, golden["documents"].get<std::vector<std::string>>());
  const auto& tokens = result.tokenizer.vocabulary.tokens;
  const auto names = golden["tokens"].get<std::vector<std::string>>();
  ASSERT_EQ(tokens.size(), names.size());
  for (size_t id = 0; id < names.size(); ++id)
    EXPECT_EQ(tokens[id], bytes_of_name(names[id]).value_or(names[id])) << id;
  const auto ours = merged_strings(result);
  ASSERT_EQ(ours.size(), golden["merges"].size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(name_of_bytes(ours[i].first), golden["merges"][i][0].get<std::string>()) << i;
    EXPECT_EQ(name_of_bytes(ours[i].second), golden["merges"][i][1].get<std::string>()) << i;
  }
}

TEST(BpeTrain, ThreadsChangeNothing) {
  Random random{5, 2};
  std::vector<std::string> documents;
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (int k = 0; k < 40; ++k) text += " " + random_letters(random, 1 + random.below(8), 8);
    documents.push_back(text);
  }
  BpeTrainOptions options;
  options.vocabulary_size = 700;
  options.steps = gpt2_steps();
  options.special_tokens = {"<|end|>"};
  // Once with everything kept, once with pruning.
  for (const uint64_t limit : {uint64_t(1) << 30, uint64_t(200000)}) {
    options.memory_limit = limit;
    options.threads = 1;
    const auto one = train(options, documents);
    options.threads = 3;
    const auto three = train(options, documents);
    EXPECT_EQ(one.tokenizer.vocabulary.tokens, three.tokenizer.vocabulary.tokens);
    EXPECT_EQ(one.tokenizer.vocabulary.merges, three.tokenizer.vocabulary.merges);
    EXPECT_EQ(one.pruned_pieces, three.pruned_pieces);
    EXPECT_EQ(one.pieces + one.pruned_pieces, 500u * 40u);
    EXPECT_EQ(one.pruned_pieces > 0, limit == 200000);
    EXPECT_EQ(one.pruned_below > 0, limit == 200000);
  }
}

TEST(BpeTrain, PlainTextNeverBecomesASpecialToken) {
  BpeTrainOptions options;
  options.vocabulary_size = 300;
  options.special_tokens = {"abc"};
  const auto result = train(options, {"abcabc", "abc", "abcd"});
  const Tokenizer tokenizer(result.tokenizer);
  for (const TokenId id : tokenizer.encode("abcabcabcd")) EXPECT_FALSE(tokenizer.is_special(id));
  EXPECT_EQ(tokenizer.encode("abc", SpecialTokens::recognised), (std::vector<TokenId>{0}));
}

// The special token is called as a byte is.
TEST(BpeTrain, SpecialTokensMayHaveTheNameOfAByte) {
  BpeTrainOptions options;
  options.vocabulary_size = 260;
  options.special_tokens = {"\xC3\xA9"};
  const TokenizerData data = train(options, {"abab"}).tokenizer;
  const TokenizerData again = parse_tokenizer_json(tokenizer_json(data), "again");
  EXPECT_EQ(again.vocabulary.tokens, data.vocabulary.tokens);
  EXPECT_EQ(Tokenizer(again).hash(), Tokenizer(data).hash());
}

TEST(BpeTrain, LongestTokenAndSmallCorpora) {
  BpeTrainOptions options;
  options.vocabulary_size = 400;
  options.max_token_bytes = 3;
  const auto result = train(options, {std::string(5000, 'a'), "abcabcabc"});
  for (const std::string& token : result.tokenizer.vocabulary.tokens) EXPECT_LE(token.size(), 3u);
  options.max_token_bytes = 0;
  for (const std::string& token : train(options, {std::string(5000, 'a')}).tokenizer.vocabulary.tokens)
    EXPECT_LE(token.size(), kLongestToken);
  EXPECT_EQ(train(options, {}).tokenizer.vocabulary.tokens.size(), 256u);
  EXPECT_EQ(train(options, {"", "a"}).tokenizer.vocabulary.merges.size(), 0u);
  options.vocabulary_size = 255;
  EXPECT_THROW(train(options, {}), Error);
}

TEST(BpeTrain, ReportsProgress) {
  BpeTrainOptions options;
  options.vocabulary_size = 300;
  std::vector<std::string> documents(10, "the cat and the dog and the bird");
  uint64_t bytes = 0;
  size_t at = 0;
  train_bpe(
      options,
      [&](std::string& document) { return at < documents.size() ? (document = documents[at++], true) : false; },
      [&](const BpeTrainProgress& progress) { bytes = progress.text_bytes; });
  EXPECT_EQ(bytes, 320u);
}

}  // namespace
}  // namespace fude
