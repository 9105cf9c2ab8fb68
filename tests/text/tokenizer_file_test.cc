#include "text/tokenizer_file.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "text/bpe_train.h"
#include "text/byte_names.h"
#include "text/tokenizer.h"

namespace fude {
namespace {

Json small() {
  return parse_json(
      R"({"version":"1.0","added_tokens":[{"id":3,"content":"<s>","special":true}],"normalizer":null,
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<s>":3},"merges":["a b"]}})",
      "small");
}

// Of the error that `action` ends with; empty without one.
template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) { return error.what(); }
  return "";
}

TokenizerData parse(const Json& file) { return parse_tokenizer_json(file.dump(), "test"); }

TEST(TokenizerFile, ReadsBothWaysToWriteMerges) {
  Json file = small();
  const auto strings = parse(file);
  file["model"]["merges"] = Json::array({Json::array({"a", "b"})});
  EXPECT_EQ(strings.vocabulary.merges, parse(file).vocabulary.merges);
  EXPECT_EQ(strings.vocabulary.merges, (std::vector<Merge>{{0, 1, 2, 0}}));
  EXPECT_EQ(Tokenizer(strings).encode("ab a"), (std::vector<TokenId>{2, 0}));
}

TEST(TokenizerFile, ReadsPreTokenizers) {
  Json file = small();
  const auto step = [](const char* text) { return parse_json(text, "step"); };
  file["pre_tokenizer"] = step(R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
      {"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]})");
  const SplitStep gpt2{SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))};
  EXPECT_EQ(parse(file).steps, (std::vector<SplitStep>{{SplitStep::Kind::each_digit, {}}, gpt2}));
  file["pre_tokenizer"] = step(
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\d"},"behavior":"Isolated",
      "invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})");
  EXPECT_EQ(parse(file).steps, (std::vector<SplitStep>{{SplitStep::Kind::pattern, "\\d"}}));
  file["pre_tokenizer"]["pretokenizers"][0]["pattern"] = step(R"({"String":"+ "})");
  EXPECT_EQ(parse(file).steps, (std::vector<SplitStep>{{SplitStep::Kind::pattern, "\\+\\ "}}));
  file["normalizer"] = step(R"({"type":"Sequence","normalizers":[{"type":"NFC"}]})");
  EXPECT_EQ(parse(file).normal, (std::vector<NormalStep>{{NormalStep::Kind::nfc}}));
  // What was read is written, and read again alike.
  const TokenizerData data = parse(file);
  const TokenizerData again = parse_tokenizer_json(tokenizer_json(data), "again");
  EXPECT_EQ(again.steps, data.steps);
  EXPECT_EQ(again.vocabulary.merges, data.vocabulary.merges);
  EXPECT_EQ(Tokenizer(again).hash(), Tokenizer(data).hash());
}

TEST(TokenizerFile, RefusesWhatItCannotDo) {
  const std::pair<const char*, const char*> changes[] = {
      {"/model/type", R"("Unigram")"},
      {"/model/dropout", "0.1"},
      {"/model/end_of_word_suffix", R"("</w>")"},
      {"/model/byte_fallback", "true"},
      {"/model/vocab/a", "-1"},
      {"/model/vocab/a", "99999999999"},
      {"/model/vocab/a", "1e3"},
      {"/model/vocab/a", R"("0")"},
      {"/model/vocab/a", "[0]"},
      {"/model/vocab/a", "1"},
      {"/model/vocab", "[]"},
      {"/model/merges/0", R"("a c")"},
      {"/model/merges/0", R"("b a")"},
      {"/model/merges/0", R"("ab")"},
      {"/model/merges/0", R"("a b ")"},
      {"/model/merges/0", R"(["a"])"},
      {"/model/merges/0", "7"},
      {"/model/merges", "{}"},
      {"/model", "null"},
      {"/normalizer", R"({"type":"Lowercase"})"},
      {"/decoder", R"({"type":"WordPiece"})"},
      {"/pre_tokenizer", "null"},
      {"/pre_tokenizer", R"({"type":"Whitespace"})"},
      {"/pre_tokenizer", R"({"type":"Digits","individual_digits":true})"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"Regex":"x"},"behavior":"Removed","invert":false})"},
      {"/added_tokens/0/id", "-1"},
      {"/added_tokens/0/id", "1.5"},
      {"/added_tokens/0/content", R"("")"},
      {"/added_tokens", "{}"},
  };
  EXPECT_NO_THROW(parse(small()));
  for (const auto& [place, value] : changes) {
    Json file = small();
    file[Json::json_pointer(place)] = Json::parse(value);
    EXPECT_THROW(Tokenizer{parse(file)}, Error) << place << " = " << value;
  }
  for (const char* text : {"", "[]", "{", "{\"model\":", "null", "7"})
    EXPECT_THROW(parse_tokenizer_json(text, "test"), Error) << text;
}

// As one of the normalizers is how a Metaspace is written.
TEST(TokenizerFile, MetaspaceCountsAsANormalizer) {
  for (const int count : {15, 16}) {
    Json file = small();
    for (int i = 0; i < count; ++i) file["normalizer"]["normalizers"].push_back({{"type", "NFC"}});
    file["normalizer"]["type"] = "Sequence";
    file["pre_tokenizer"] = {{"type", "Metaspace"}};
    file["decoder"] = {{"type", "Metaspace"}};
    EXPECT_EQ(message_of([&] { parse_tokenizer_json(tokenizer_json(parse(file)), "again"); }),
              count == 15 ? "" : "[test] expected at most 16 normalizers");
  }
}

TEST(TokenizerFile, SpecialTokensMayHaveAnyNameAndGaps) {
  Json file = small();
  file["added_tokens"].push_back({{"id", 9}, {"content", "<\xEF\xBD\x9C\xE6\xBC\xA2 x>"}, {"special", true}});
  const Tokenizer tokenizer(parse(file));
  EXPECT_EQ(tokenizer.vocabulary_size(), 10);
  EXPECT_EQ(tokenizer.bytes_of(9), "<\xEF\xBD\x9C\xE6\xBC\xA2 x>");
  EXPECT_EQ(tokenizer.bytes_of(7), "");
  const Tokenizer again(parse_tokenizer_json(tokenizer_json(tokenizer.data()), "again"));
  EXPECT_EQ(again.hash(), tokenizer.hash());
  EXPECT_EQ(again.encode("a<\xEF\xBD\x9C\xE6\xBC\xA2 x>ab", SpecialTokens::recognised),
            (std::vector<TokenId>{0, 9, 2}));
}

// Such a name is not the entry for its own bytes.
TEST(TokenizerFile, NamesThatSpellNoBytesComeFromNoText) {
  Json file = small();
  file["model"]["ignore_merges"] = true;
  file["model"]["vocab"][name_of_bytes("\xE6\xBC\xA2")] = 4;
  file["model"]["vocab"]["\xE6\xBC\xA2"] = 5;
  const Tokenizer tokenizer(parse(file));
  EXPECT_EQ(tokenizer.encode("\xE6\xBC\xA2"), std::vector<TokenId>{4});
  EXPECT_EQ(tokenizer.bytes_of(5), "\xE6\xBC\xA2");
  EXPECT_TRUE(tokenizer.is_special(5));
  const Tokenizer again(parse_tokenizer_json(tokenizer_json(tokenizer.data()), "again"));
  EXPECT_EQ(again.hash(), tokenizer.hash());
  EXPECT_EQ(again.encode("\xE6\xBC\xA2"), std::vector<TokenId>{4});
  file["model"]["vocab"]["\xE6\xBC\xA2"] = 4;
  EXPECT_NE(message_of([&] { parse(file); }).find("the id 4 has two entries"), std::string::npos);
}

TEST(TokenizerFile, AddedTokensMayBeCalledLikeEntries) {
  Json file = small();
  file["added_tokens"].push_back({{"id", 9}, {"content", "a"}, {"special", false}});
  const Tokenizer tokenizer(parse(file));
  EXPECT_EQ(tokenizer.encode("ab"), (std::vector<TokenId>{9, 1}));
  const Tokenizer again(parse_tokenizer_json(tokenizer_json(tokenizer.data()), "again"));
  EXPECT_EQ(again.hash(), tokenizer.hash());
  EXPECT_EQ(again.encode("ab"), (std::vector<TokenId>{9, 1}));
}

TEST(TokenizerFile, AddedTokensMayHaveTheIdOfAnEntryThatIsMerged) {
  Json file = small();
  file["added_tokens"].push_back({{"id", 2}, {"content", "<t>"}, {"special", true}});
  const Tokenizer tokenizer(parse(file));
  const Tokenizer again(parse_tokenizer_json(tokenizer_json(tokenizer.data()), "again"));
  EXPECT_EQ(again.hash(), tokenizer.hash());
  for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised})
    EXPECT_EQ(again.encode("ab<t>", special), tokenizer.encode("ab<t>", special));
}

// An id is an index: a line of text must not claim gigabytes.
TEST(TokenizerFile, IdsLieNearTheCountOfEntries) {
  Json file = small();
  const size_t entries = 4 + 1;
  for (const char* place : {"/added_tokens/0/id", "/model/vocab/<s>"}) {
    file[Json::json_pointer(place)] = entries + kLargestIdGap - 1;
    EXPECT_NO_THROW(parse(file)) << place;
    file[Json::json_pointer(place)] = entries + kLargestIdGap;
    EXPECT_NE(message_of([&] { parse(file); }).find("expected ids below 65541"), std::string::npos) << place;
    file = small();
  }
}

TEST(TokenizerFile, TokensHaveAGreatestLength) {
  for (const size_t size : {kLongestToken, kLongestToken + 1}) {
    Json added = small(), entry = small();
    added["added_tokens"][0]["content"] = std::string(size, 'x');
    // Each of these bytes is a character of two.
    std::string name;
    for (size_t i = 0; i < size; ++i) name += "\xC4\xA0";
    entry["model"]["vocab"][name] = 4;
    for (const Json& file : {added, entry})
      EXPECT_EQ(message_of([&] { parse(file); }).find("longer than 1024 bytes") != std::string::npos,
                size > kLongestToken);
  }
}

TEST(RankFile, RoundTrips) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(std::string(1, char(byte)));
  tokens.push_back("ab");
  tokens.push_back("abc");
  tokens.push_back("\xE3\x81\x82z");
  const std::string text = ranks_text(tokens);
  EXPECT_TRUE(text.starts_with("AA== 0\nAQ== 1\n"));
  EXPECT_EQ(parse_ranks(text, "ranks"), tokens);
  EXPECT_EQ(parse_ranks("YQ== 0\r\n\r\nYWI= 2", "ranks"), (std::vector<std::string>{"a", "", "ab"}));
}

TEST(RankFile, RefusesBadLines) {
  for (const char* text : {"", "\n", "YQ==", "YQ== ", " 0", "YQ== x", "YQ== -1", "YQ== 99999999999", "YQ== 0\nYg== 0",
                           "Y 0", "Y*== 0", "==== 0", "YQ==  0"})
    EXPECT_THROW(parse_ranks(text, "ranks"), Error) << text;
}

TEST(RankFile, BoundsRanksAndLengths) {
  const auto ranked = [](size_t rank) { return fmt::format("YQ== 0\nYg== {}\n", rank); };
  EXPECT_EQ(parse_ranks(ranked(2 + kLargestIdGap - 1), "ranks").size(), 2 + kLargestIdGap);
  EXPECT_NE(message_of([&] { parse_ranks(ranked(2 + kLargestIdGap), "ranks"); }).find("[ranks:2] expected ranks below"),
            std::string::npos);
  for (const size_t size : {kLongestToken, kLongestToken + 1}) {
    const std::string text = ranks_text({"a", std::string(size, 'x')});
    EXPECT_EQ(message_of([&] { parse_ranks(text, "ranks"); }).find("[ranks:2] expected an entry of 1 to 1024 bytes") !=
                  std::string::npos,
              size > kLongestToken);
  }
}

TEST(RankFile, NeedsAPatternOrANameThatTells) {
  const std::string message = message_of([] { read_tokenizer("some/own.tiktoken"); });
  for (const char* word : {"[some/own.tiktoken]", "o200k_base.tiktoken", "gpt2.tiktoken", "got own.tiktoken"})
    EXPECT_NE(message.find(word), std::string::npos) << message;
}

TEST(RankFile, OfATrainedVocabularyEncodesAlike) {
  const std::string path = testing::TempDir() + "fude_own.tiktoken",
                    text = "low lower lowest, new newer newest; 東京 東京都";
  BpeTrainOptions options;
  options.vocabulary_size = 280;
  options.special_tokens = {"<|a|>", "<|b|>"};
  options.steps = {{SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))}};
  bool more = true;
  const auto next = [&](std::string& document) {
    document = text;
    return std::exchange(more, false);
  };
  const TokenizerData data = train_bpe(options, next).tokenizer;
  EXPECT_TRUE(save_ranks(path, data));
  const Tokenizer ranks = Tokenizer::load(path, "gpt2"), own(data);
  EXPECT_GT(ranks.data().vocabulary.merges.size(), 10u);
  for (const std::string& words : {text, std::string("the newest low <|a|> \xFF")})
    EXPECT_EQ(ranks.encode(words), own.encode(words));
  EXPECT_TRUE(ranks.data().vocabulary.tokens[0].empty());
}

// "abc" of ab + c, and once more of a + bc: a rank file tells the first.
TEST(RankFile, SaysWhatItCannotTell) {
  TokenizerData data;
  data.vocabulary.tokens = {"a", "b", "c", "ab", "bc", "abc"};
  data.vocabulary.merges = {{0, 1, 3, 0}, {1, 2, 4, 1}, {3, 2, 5, 2}};
  const std::string path = testing::TempDir() + "fude_twice.tiktoken";
  EXPECT_TRUE(save_ranks(path, data));
  data.vocabulary.merges.push_back({0, 4, 5, 3});
  EXPECT_FALSE(save_ranks(path, data));
  data.vocabulary.kind = Vocabulary::Kind::unigram;
  EXPECT_THROW(save_ranks(path, data), Error);
}

TEST(ByteNames, AreHuggingFaces) {
  EXPECT_EQ(name_of_bytes(" a\n\xC2"),
            "\xC4\xA0"
            "a\xC4\x8A\xC3\x82");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += char(byte);
  EXPECT_EQ(bytes_of_name(name_of_bytes(all)), all);
  EXPECT_FALSE(bytes_of_name("a b").has_value());
  EXPECT_EQ(bytes_in_name_order()[0], '!');
  EXPECT_EQ(bytes_in_name_order()[255], 173);
}

}  // namespace
}  // namespace fude
