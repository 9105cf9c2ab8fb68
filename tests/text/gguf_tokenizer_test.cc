#include "text/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/byte_names.h"
#include "text/tokenizer.h"

namespace fude {
namespace {

using Ids = std::vector<TokenId>;
const std::string kAllGoldens = std::string(FUDE_SOURCE_DIR) + "/tests/goldens/";
constexpr auto kNormal = int32_t(PieceType::normal), kControl = int32_t(PieceType::control),
               kUser = int32_t(PieceType::user_defined);

// a, b and ab with a merge, <s>, and a piece that is found in any text.
GgufTokenizer byte_level() {
  return {.model = "gpt2",
          .pre = "gpt-2",
          .pieces = {{"a", "b", "ab", "<s>", "  "}, {}, {kNormal, kNormal, kNormal, kControl, kUser}},
          .merges = {"a b"},
          .begin = 3,
          .ends = {3, 3},
          .chat_template = "{{ messages }}"};
}

// The pieces of ▁ab by scores, with ▁a before ab.
GgufTokenizer scored() {
  return {.model = "llama",
          .pieces = {{"<unk>", "<s>", "\xE2\x96\x81", "a", "b", "ab",
                      "\xE2\x96\x81"
                      "a"},
                     {0, 0, -9, -9, -9, -2, -1},
                     {int32_t(PieceType::unknown), kControl, kNormal, kNormal, kNormal, kNormal, kNormal}},
          .begin = 1,
          .unknown = 0};
}

// What llama.cpp's converter says of a tokenizer.model with a unigram model.
GgufTokenizer unigram_of(const TokenizerData& data) {
  GgufTokenizer file{.model = "t5", .pre = "default", .space_prefix = false, .removes_blanks = false};
  const Vocabulary& vocabulary = data.vocabulary;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const bool is_byte = vocabulary.byte_fallback && byte_of_piece(vocabulary.tokens[id]);
    file.pieces.texts.push_back(vocabulary.tokens[id]);
    file.pieces.scores.push_back(float(vocabulary.scores[id]));
    file.pieces.types.push_back(is_byte ? int32_t(PieceType::byte) : kNormal);
  }
  for (const AddedToken& token : data.added) file.pieces.types[size_t(token.id)] = kControl;
  file.pieces.types[size_t(vocabulary.unknown)] = int32_t(PieceType::unknown);
  for (const NormalStep& step : data.normal) {
    if (step.kind == NormalStep::Kind::charsmap) file.charsmap = step.from;
    if (step.kind == NormalStep::Kind::trim) file.removes_blanks = true;
    if (step.kind == NormalStep::Kind::prepend) file.space_prefix = true;
  }
  return file;
}

// Scores by hand: </s>, ▁a, and what HF adds.
GgufTokenizer unigram() {
  constexpr auto kUnknown = int32_t(PieceType::unknown), kUnused = int32_t(PieceType::unused);
  return {.model = "t5",
          .pieces = {{"<pad>", "</s>", "<unk>", "a", "b", "ab",
                      "\xE2\x96\x81"
                      "a",
                      "<x>", "[PAD8]"},
                     {0, 0, 0, -2, -3, -4, -2.5, -1000, -10000},
                     {kControl, kControl, kUnknown, kNormal, kNormal, kNormal, kNormal, kUser, kUnused}}};
}

Tokenizer tokenizer_of(const GgufTokenizer& file) { return Tokenizer(read_gguf_tokenizer(file, "gguf")); }

TEST(GgufTokenizer, ReadsByteLevelBpe) {
  const Tokenizer tokenizer = tokenizer_of(byte_level());
  EXPECT_EQ(tokenizer.encode("aab"), (Ids{0, 2}));
  EXPECT_EQ(tokenizer.encode("a  b"), (Ids{0, 4, 1}));
  EXPECT_EQ(tokenizer.encode("<s>"), Ids{});  // no entries for its characters
  EXPECT_EQ(tokenizer.encode("<s>a", SpecialTokens::recognised), (Ids{3, 0}));
  const TokenizerData& data = tokenizer.data();
  EXPECT_EQ(data.begin_token, 3);
  EXPECT_FALSE(data.prepends_begin);
  EXPECT_EQ(data.end_tokens, Ids{3});
  EXPECT_EQ(data.chat_template, "{{ messages }}");
}

// Types that llama.cpp overrides as well where a token ends a turn.
TEST(GgufTokenizer, TextNeverGivesTheTokensThatEndATurn) {
  for (const int32_t type : {kControl, kUser, kNormal}) {
    GgufTokenizer file = byte_level();
    file.pieces = {{"a", "b", "ab", "<", "e", ">", "<e>"}, {}, std::vector<int32_t>(7, kNormal)};
    file.pieces.types[6] = type;
    file.begin.reset(), file.ends = {6};
    const Tokenizer tokenizer = tokenizer_of(file);
    EXPECT_EQ(tokenizer.encode("a<e>b"), (Ids{0, 3, 4, 5, 1})) << type;
    if (type == kNormal) continue;  // an entry that no merge makes: not even the template gives it
    EXPECT_EQ(tokenizer.encode("a<e>b", SpecialTokens::recognised), (Ids{0, 6, 1})) << type;
    EXPECT_EQ(gguf_tokenizer_of(tokenizer.data(), 7, "gguf").pieces.types[6], kControl) << type;
  }
}

// Merges make entries in their order, out of it, and one that comes again.
TEST(GgufTokenizer, MergesMakeEntriesInAnyOrder) {
  GgufTokenizer file = byte_level();
  file.pieces = {{"a", "b", "ab", "aba", "abab", "ba"}, {}, std::vector<int32_t>(6, kNormal)};
  file.merges = {"a b", "ab a", "ab ab", "b a", "aba b"};
  const auto merges = read_gguf_tokenizer(file, "gguf").vocabulary.merges;
  EXPECT_EQ(merges, (std::vector<Merge>{{0, 1, 2, 0}, {2, 0, 3, 1}, {2, 2, 4, 2}, {1, 0, 5, 3}, {3, 1, 4, 4}}));
}

// Command R's has such a name, beside the entry for the same bytes.
TEST(GgufTokenizer, NamesThatSpellNoBytesComeFromNoText) {
  GgufTokenizer file = byte_level();
  file.pieces.texts[1] = "\xE6\xBC\xA2";
  file.merges = {"a a"};
  file.pieces.texts[2] = "aa";
  const Tokenizer tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer.encode("a\xE6\xBC\xA2"), Ids{0});
  EXPECT_EQ(tokenizer.bytes_of(1), "\xE6\xBC\xA2");
  file.pieces.types.clear();
  file.pieces.texts = {"a", "b", "aa"};
  file.begin.reset();
  file.ends.clear();
  EXPECT_EQ(tokenizer_of(file).encode("aab"), (Ids{2, 1}));
}

TEST(GgufTokenizer, ReadsScoredBpe) {
  GgufTokenizer file = scored();
  Tokenizer tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{6, 4}));
  EXPECT_EQ(tokenizer.encode("b ab<s>x"), (Ids{2, 4, 6, 4, 0}));
  EXPECT_EQ(tokenizer.encode("ab<s>ab", SpecialTokens::recognised), (Ids{6, 4, 1, 6, 4}));
  EXPECT_EQ(tokenizer.decode(Ids{6, 4}), "ab");
  EXPECT_TRUE(tokenizer.data().prepends_begin);
  file.space_prefix = false;
  file.prepends_begin = false;
  tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer.encode("ab"), Ids{5});
  EXPECT_FALSE(tokenizer.data().prepends_begin);
}

// The same ids as SentencePiece gives with the model's own file, also after it was written as tokenizer.json.
TEST(GgufTokenizer, ReadsUnigramModels) {
  const Json golden = parse_json(read_file(kAllGoldens + "sentencepiece/expected.json"), "expected.json");
  for (const char* name : {"unigram.model", "unigram_bytes.model"}) {
    const Tokenizer original = Tokenizer::load(kAllGoldens + "sentencepiece/" + name);
    GgufTokenizer file = unigram_of(original.data());
    // As it fills up to the size of the embedding.
    file.pieces.texts.push_back("[PAD]");
    file.pieces.scores.push_back(-10000);
    file.pieces.types.push_back(int32_t(PieceType::unused));
    const Tokenizer tokenizer = tokenizer_of(file);
    const Tokenizer saved(parse_tokenizer_json(tokenizer_json(tokenizer.data()), name));
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      const std::string text = golden["texts"][i];
      const Ids ids = golden[name][i].get<Ids>();
      EXPECT_EQ(tokenizer.encode(text), ids) << name << ": " << text;
      EXPECT_EQ(saved.encode(text), ids) << name << ": " << text;
      EXPECT_EQ(tokenizer.decode(ids), original.decode(ids)) << name << ": " << text;
      EXPECT_EQ(tokenizer.encode(text, SpecialTokens::recognised), original.encode(text, SpecialTokens::recognised))
          << name << ": " << text;
    }
  }
}

TEST(GgufTokenizer, WhatUnigramKeysMean) {
  GgufTokenizer file = unigram();
  Tokenizer tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer.encode("ab"), Ids{5});
  EXPECT_EQ(tokenizer.encode("abc "), (Ids{5, 2}));
  EXPECT_EQ(tokenizer.encode(" a"), Ids{6});
  EXPECT_EQ(tokenizer.encode("[PAD8]"), Ids{2});  // unused, so made of unknown characters
  EXPECT_EQ(tokenizer.data().begin_token, kNoToken);
  EXPECT_EQ(tokenizer.data().end_tokens, Ids{1});
  EXPECT_TRUE(tokenizer.data().appends_end);
  EXPECT_FALSE(tokenizer.data().prepends_begin);
  file.space_prefix = true;
  file.appends_end = false;
  tokenizer = tokenizer_of(file);
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{6, 4}));
  EXPECT_EQ(tokenizer.decode(Ids{6, 4}), "ab");
  EXPECT_EQ(tokenizer.encode("a<x>a</s>"), (Ids{6, 7, 6, 2}));
  EXPECT_EQ(tokenizer.encode("a</s>a", SpecialTokens::recognised), (Ids{6, 1, 6}));
  EXPECT_EQ(tokenizer.encode(" a  a "), (Ids{2, 6, 2, 6, 2}));
  EXPECT_FALSE(tokenizer.data().appends_end);
  file.removes_blanks = true;
  EXPECT_EQ(tokenizer_of(file).encode(" a  a "), (Ids{6, 6}));
}

TEST(GgufTokenizer, NamesOfPatterns) {
  GgufTokenizer file = byte_level();
  const std::pair<const char*, const char*> patterns[] = {
      {"llama-bpe", "llama3"}, {"qwen2", "qwen2"}, {"gpt-4o", "o200k"}, {"smollm", "gpt2"}};
  for (const auto& [name, pattern] : patterns) {
    file.pre = name;
    const TokenizerData data = read_gguf_tokenizer(file, "gguf");
    EXPECT_EQ(data.steps.back(), (SplitStep{SplitStep::Kind::pattern, std::string(named_pattern(pattern))})) << name;
    EXPECT_EQ(data.steps.size(), file.pre == "smollm" ? 2 : 1);
    EXPECT_EQ(data.prepends_begin, file.pre == "llama-bpe");
  }
}

// What a GGUF file says of the tokenizer in a folder gives the same ids as the folder.
TEST(GgufTokenizer, EqualsTheFileItWasMadeFrom) {
  const Tokenizer original = Tokenizer::load(kAllGoldens + "text/tokenizer.json");
  GgufTokenizer file{.model = "gpt2", .pre = "gpt-2"};
  const Vocabulary& vocabulary = original.data().vocabulary;
  std::vector<std::string> names, merges;
  for (TokenId id = 0; id < original.vocabulary_size(); ++id) names.push_back(name_of_bytes(original.bytes_of(id)));
  file.pieces.types.assign(names.size(), kNormal);
  for (const AddedToken& token : original.data().added) {
    names[size_t(token.id)] = token.content;
    file.pieces.types[size_t(token.id)] = token.special ? kControl : kUser;
  }
  for (const Merge& merge : vocabulary.merges)
    merges.push_back(names[size_t(merge.left)] + " " + names[size_t(merge.right)]);
  file.pieces.texts.assign(names.begin(), names.end());
  file.merges.assign(merges.begin(), merges.end());
  TokenizerData data = read_gguf_tokenizer(file, "gguf");
  data.steps = original.data().steps;
  data.added = original.data().added;  // GGUF does not know what they do with white space
  const Tokenizer tokenizer(data);
  for (const Json& row : parse_json(read_file(kAllGoldens + "text/encode.json"), "encode.json"))
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()), row["as_text"].get<Ids>());
}

TEST(GgufTokenizer, RefusesWhatItCannotDo) {
  const std::pair<const char*, std::function<void(GgufTokenizer&)>> cases[] = {
      {"to be gpt2, llama, t5 or gemma4, got 'bert'", [](auto& f) { f.model = "bert"; }},
      {"got 'default'", [](auto& f) { f.pre = "default"; }},
      {"scores and types", [](auto& f) { f.pieces.types.pop_back(); }},
      {"no pieces", [](auto& f) { f.pieces = {}; }},
      {"expected tokenizer.ggml.merges, got none", [](auto& f) { f.merges.clear(); }},
      {"a merge of two parts, got 'ab'", [](auto& f) { f.merges = {"ab"}; }},
      {"a merge names 'ba'", [](auto& f) { f.merges = {"b a"}; }},
      {"bos_token_id in [0, 5), got 5", [](auto& f) { f.begin = 5; }},
      {"eos_token_id in [0, 5), got -1", [](auto& f) { f.ends = {-1}; }},
      {"expected tokenizer.ggml.scores, got none", [](auto& f) { f.model = "llama"; }},
      {"expected tokenizer.ggml.scores, got none", [](auto& f) { f.model = "t5"; }},
      {"[charsmap] expected a trie",
       [](auto& f) {
         f = unigram();
         f.charsmap = "x";
       }},
  };
  for (const auto& [message, change] : cases) {
    GgufTokenizer file = byte_level();
    change(file);
    std::string got;
    try {
      read_gguf_tokenizer(file, "gguf");
    } catch (const Error& error) { got = error.what(); }
    EXPECT_NE(got.find(message), std::string::npos) << message << ", got: " << got;
  }
}

// Written in GGUF's terms and read again: the same ids, for the texts of the goldens.
TEST(GgufTokenizer, WritesWhatItReads) {
  const Json files = parse_json(read_file(kAllGoldens + "sentencepiece/expected.json"), "expected.json");
  for (const char* name : {"bpe.model", "llama.json", "mistral.json", "gemma.json"}) {
    const Tokenizer original = Tokenizer::load(kAllGoldens + "sentencepiece/" + name);
    const int64_t vocabulary = original.vocabulary_size() + 3;
    const GgufTokenizer file = gguf_tokenizer_of(original.data(), vocabulary, name);
    EXPECT_EQ(file.model, "llama") << name;
    EXPECT_EQ(int64_t(file.pieces.texts.size()), vocabulary);
    EXPECT_EQ(file.pieces.texts.back(), fmt::format("[PAD{}]", vocabulary - 1));
    const Tokenizer again = tokenizer_of(file);
    for (const Json& value : files["texts"]) {
      const std::string text = value;
      // GGUF has no word for a blank that comes only where none stands, nor for none behind an added token.
      const bool has_blank = text.starts_with(" ") || text.starts_with(kBlankMark);
      if (original.data().prefix_space == PrefixSpace::first && (has_blank || text.find("<sep>") != text.npos))
        continue;
      // Nor for text that spells the name of a byte's token (Gemma's ignore_merges).
      if (original.data().vocabulary.whole_pieces && text == "<0x0A>") continue;
      EXPECT_EQ(again.encode(text), original.encode(text)) << name << ": " << text;
    }
    EXPECT_EQ(again.data().begin_token, original.data().begin_token) << name;
    EXPECT_EQ(again.data().end_tokens, original.data().end_tokens) << name;
  }
  GgufTokenizer wanted = byte_level();
  wanted.padding = 4;
  const GgufTokenizer file = gguf_tokenizer_of(read_gguf_tokenizer(wanted, "gguf"), 5, "gguf");
  EXPECT_EQ(file.pre, "gpt-2");
  EXPECT_EQ(file.pieces.texts, wanted.pieces.texts);
  EXPECT_EQ(file.pieces.types, wanted.pieces.types);
  EXPECT_EQ(file.merges, wanted.merges);
  EXPECT_EQ(file.begin, wanted.begin);
  EXPECT_EQ(file.padding, wanted.padding);
  EXPECT_EQ(file.ends, (std::vector<int64_t>{3}));
  EXPECT_EQ(file.chat_template, wanted.chat_template);
  // A vocabulary that the model has no rows for is left out.
  const GgufTokenizer less = gguf_tokenizer_of(read_gguf_tokenizer(wanted, "gguf"), 4, "gguf");
  EXPECT_EQ(less.pieces.texts.size(), 4u);
  EXPECT_EQ(less.padding, std::nullopt);
}

TEST(GgufTokenizer, RefusesToWriteWhatGgufCannotSay) {
  const std::pair<const char*, std::function<void(TokenizerData&)>> cases[] = {
      {"unigram", [](auto& d) { d.vocabulary.kind = Vocabulary::Kind::unigram; }},
      {"has no name",
       [](auto& d) {
         d.steps.push_back({SplitStep::Kind::digits, {}});
       }},
      {"has no name", [](auto& d) { d.normal.push_back({NormalStep::Kind::nfc}); }},
      {"a blank in front", [](auto& d) { d.prefix_space = PrefixSpace::always; }},
      {"at most 3 tokens that end a turn",
       [](auto& d) {
         d.end_tokens = {0, 1, 2, 3};
       }},
  };
  for (const auto& [message, change] : cases) {
    TokenizerData data = read_gguf_tokenizer(byte_level(), "gguf");
    change(data);
    std::string got;
    try {
      gguf_tokenizer_of(data, 5, "gguf");
    } catch (const Error& error) { got = error.what(); }
    EXPECT_NE(got.find(message), std::string::npos) << message << ", got: " << got;
  }
  // SentencePiece would make ab of its parts before anything else, or never.
  TokenizerData data = read_gguf_tokenizer(scored(), "gguf");
  data.vocabulary.merges.pop_back();
  EXPECT_THROW(gguf_tokenizer_of(data, 7, "gguf"), Error);
  data = read_gguf_tokenizer(scored(), "gguf");
  EXPECT_NO_THROW(gguf_tokenizer_of(data, 7, "gguf"));
  data.vocabulary.fuse_unknown = false;
  EXPECT_THROW(gguf_tokenizer_of(data, 7, "gguf"), Error);
}

}  // namespace
}  // namespace fude
