#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/reference/random_text.h"
#include "tests/support/tokenizer_vectors.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

using Ids = std::vector<TokenId>;
const std::string kGoldens = std::string(FUDE_SOURCE_DIR) + "/tests/goldens/text/";

Tokenizer golden_tokenizer() { return Tokenizer::load(kGoldens + "tokenizer.json"); }

TEST(Tokenizer, EqualsHuggingFace) {
  const Tokenizer tokenizer = golden_tokenizer();
  for (const Json& row : parse_json(read_file(kGoldens + "encode.json"), "encode.json")) {
    const std::string text = row["text"];
    EXPECT_EQ(tokenizer.encode(text), row["as_text"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer.encode(text, SpecialTokens::recognised), row["recognised"].get<Ids>()) << text;
  }
}

TEST(Tokenizer, RoundTripsAnyBytes) {
  TokenizerData data = parse_tokenizer_json(read_file(kGoldens + "tokenizer.json"), "tokenizer.json");
  data.added.resize(2);  // without those that swallow white space
  const Tokenizer tokenizer(data);
  Random random{9, 1};
  for (int n = 0; n < 3000; ++n) {
    std::string text = reference::random_text(random, random.below(30));
    for (uint64_t k = random.below(3); k > 0; --k) text += char(random.below(256));
    for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised})
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, special)), text);
  }
}

// Two added tokens of one text: behind it stands a zero, in the list as in the text.
TEST(Tokenizer, AddedTokensMayHaveTheSameText) {
  TokenizerData data = parse_tokenizer_json(read_file(kGoldens + "tokenizer.json"), "tokenizer.json");
  const std::string content = "<a token of some length>";
  for (TokenId id : {703, 704}) data.added.push_back({.id = id, .content = content, .special = false});
  const Tokenizer tokenizer(data);
  const std::string text = content + std::string("\0x", 2);
  const Ids ids = tokenizer.encode(text);
  EXPECT_EQ(ids.front(), 703);
  EXPECT_EQ(tokenizer.decode(ids), text);
  const Tokenizer saved(parse_tokenizer_json(tokenizer_json(data), "saved"));
  EXPECT_EQ(saved.hash(), tokenizer.hash());
  EXPECT_EQ(saved.encode(text), ids);
}

// Their bytes too keep to whom they are from; Llama 2's file looks for special tokens in the normalised text.
TEST(Tokenizer, TrustOutlastsNormalisation) {
  const Tokenizer tokenizer = Tokenizer::load(std::string(FUDE_SOURCE_DIR) + "/tests/goldens/sentencepiece/llama.json");
  const auto encode = [&](std::vector<TextPiece> pieces) { return tokenizer.encode(pieces); };
  EXPECT_EQ(encode({{"<s>", true}, {"the", false}}), tokenizer.encode("<s>the", SpecialTokens::recognised));
  EXPECT_EQ(encode({{"<s>", true}, {"the", false}}).front(), 1);
  EXPECT_EQ(encode({{"the <s>", false}, {" </s>", true}}).back(), 2);
  for (const std::vector<TextPiece>& pieces :
       std::vector<std::vector<TextPiece>>{{{"<s>", false}, {" the", true}},
                                           {{"<", true}, {"s>", false}},
                                           {{" ", true}, {"<s>", false}},
                                           {{"a", true}, {" ", false}, {"<s>", true}},
                                           {{"a <s", true}, {">", false}}})
    for (const TokenId id : tokenizer.encode(pieces)) EXPECT_FALSE(tokenizer.is_special(id)) << pieces[0].text;
}

// `text` has [ ] around what is not trusted.
std::string marked_normal(const std::vector<NormalStep>& steps, std::string_view text) {
  std::string bytes, trust, out;
  bool trusted = true;
  for (const char c : text) {
    if (c == '[' || c == ']') {
      trusted = c == ']';
    } else {
      bytes += c;
      trust += char(trusted);
    }
  }
  const std::string normal = normalize(steps, bytes, &trust);
  EXPECT_EQ(normal, normalize(steps, bytes));
  EXPECT_EQ(trust.size(), normal.size());
  for (size_t i = 0; i < normal.size(); ++i) {
    if (!trust[i] && (i == 0 || trust[i - 1])) out += '[';
    if (trust[i] && i > 0 && !trust[i - 1]) out += ']';
    out += normal[i];
  }
  return out + (!trust.empty() && !trust.back() ? "]" : "");
}

TEST(Normalize, WhatIsMadeOfBothKindsIsNotTrusted) {
  using Kind = NormalStep::Kind;
  const NormalStep replace{Kind::replace, "ab", "<s>"}, drop{Kind::replace, "x", ""};
  EXPECT_EQ(marked_normal({replace}, "ab[ab]ab"), "<s>[<s>]<s>");
  EXPECT_EQ(marked_normal({replace}, "a[b]a[bab]b"), "[<s><s><s>]b");
  EXPECT_EQ(marked_normal({drop}, "<[xsx]>"), "<[s]>");
  EXPECT_EQ(marked_normal({{Kind::prepend, {}, "_"}}, "a[b]"), "_a[b]");
  EXPECT_EQ(marked_normal({{Kind::prepend, {}, "_"}}, "[a]b"), "[_a]b");
  EXPECT_EQ(marked_normal({{Kind::squeeze, {}, "_"}}, "a  b [ ]c[  ] d"), "a_b[_]c[_]d");
  EXPECT_EQ(marked_normal({{Kind::trim}}, "[ ] a[b ] "), "a[b]");
  EXPECT_EQ(marked_normal({{Kind::strip_left}, {Kind::strip_right}}, "[\t] a [b\n] "), "a [b]");
  EXPECT_EQ(marked_normal({{Kind::strip_left}, {Kind::prepend, {}, "_"}}, "[ ]"), "");
  // Composition: within a kind, across, and only where it is.
  EXPECT_EQ(marked_normal({{Kind::nfc}}, "<s>e\xCC\x81[e\xCC\x81]<s>"), "<s>\xC3\xA9[\xC3\xA9]<s>");
  EXPECT_EQ(marked_normal({{Kind::nfc}}, "<s>e[\xCC\x81 x]<s>"), "<s>[\xC3\xA9 x]<s>");
  EXPECT_EQ(marked_normal({{Kind::nfc}}, "<s>[\xE6\xBC\xA2]\xE6\xBC\xA2<s>"), "<s>[\xE6\xBC\xA2]\xE6\xBC\xA2<s>");
  EXPECT_EQ(marked_normal({{Kind::nfc}}, "\xE6[\xBC\xA2]\xFF[\xFF]"), "\xE6[\xBC\xA2]\xFF[\xFF]");
}

TEST(Normalize, WithTrustGivesTheSameText) {
  const std::vector<NormalStep> steps = {{NormalStep::Kind::nfc}, {NormalStep::Kind::squeeze, {}, " "}, mark_blanks()};
  Random random{13, 1};
  for (int n = 0; n < 2000; ++n) {
    const std::string text = reference::random_text(random, random.below(30));
    std::string trust;
    while (trust.size() < text.size()) {
      const bool changes = n % 4 > 0 && random.below(5) == 0;
      trust += char((!trust.empty() && trust.back()) != changes);
    }
    const std::string before = trust, normal = normalize(steps, text, &trust);
    ASSERT_EQ(normal, normalize(steps, text));
    ASSERT_EQ(trust.size(), normal.size());
    if (before.find('\1') == before.npos) { ASSERT_EQ(trust.find('\1'), trust.npos); }
  }
}

// It would fill any memory.
TEST(Normalize, ATextMayNotGrowWithoutEnd) {
  const std::string text(1 << 20, 'a'), long_text(1 << 20, 'x');
  for (const NormalStep& step : {NormalStep{NormalStep::Kind::replace, "a", long_text},
                                 NormalStep{NormalStep::Kind::prepend, {}, std::string(65 << 20, 'x')}})
    EXPECT_THROW(normalize({step}, text), Error);
  std::string blanks;
  for (int i = 0; i < 1 << 20; ++i) blanks += "  a";
  EXPECT_THROW(normalize({{NormalStep::Kind::squeeze, {}, long_text}}, blanks), Error);
  EXPECT_EQ(normalize({{NormalStep::Kind::replace, "a", "bb"}}, text).size(), 2u << 20);
}

TEST(Tokenizer, SpecialTokens) {
  const Tokenizer tokenizer = golden_tokenizer();
  const TokenId end = *tokenizer.find_special("<|end|>");
  EXPECT_EQ(tokenizer.encode("<|end|>", SpecialTokens::recognised), Ids{end});
  for (const TokenId id : tokenizer.encode("a<|end|>")) EXPECT_FALSE(tokenizer.is_special(id));
  EXPECT_TRUE(tokenizer.is_special(end));
  EXPECT_EQ(tokenizer.bytes_of(end), "<|end|>");
  EXPECT_FALSE(tokenizer.find_special("<mask>").has_value());  // added, but not special
  EXPECT_EQ(tokenizer.vocabulary_size(), 703);
  EXPECT_THROW(tokenizer.bytes_of(703), Error);
  EXPECT_THROW(tokenizer.bytes_of(-1), Error);
  EXPECT_THROW(tokenizer.decode(Ids{0, 1000000}), Error);
  Ids out = {5};
  tokenizer.encode_into("", out);
  EXPECT_EQ(out, Ids{5});
}

// Bytes without an entry: the unknown token stands for them unless it is special, for plain text never gives specials.
TEST(Tokenizer, UnknownTokenIsOnlyUsedIfItIsNotSpecial) {
  TokenizerData data;
  data.vocabulary.tokens = {"<unk>", "a"};
  data.vocabulary.unknown = 0;
  EXPECT_EQ(Tokenizer(data).encode("axa"), (Ids{1, 0, 1}));
  data.added.push_back({.id = 0, .content = "<unk>", .special = true});
  EXPECT_EQ(Tokenizer(data).encode("axa"), (Ids{1, 1}));
}

TEST(Tokenizer, NormalisesAndPrefixes) {
  TokenizerData data = parse_tokenizer_json(read_file(kGoldens + "tokenizer.json"), "tokenizer.json");
  data.normal = {{NormalStep::Kind::nfc}};
  EXPECT_EQ(Tokenizer(data).encode("e\xCC\x81"), Tokenizer(data).encode("\xC3\xA9"));
  data.normal.clear();
  data.prefix_space = PrefixSpace::always;
  EXPECT_EQ(Tokenizer(data).encode("the"), Tokenizer(data).encode(" the"));
}

TEST(Tokenizer, SavedFileIsTheSameTokenizer) {
  const std::string folder = testing::TempDir() + "fude_tokenizer";
  TokenizerData data = golden_tokenizer().data();
  data.normal = {{NormalStep::Kind::nfc}};
  data.steps.insert(data.steps.begin(), {SplitStep::Kind::each_digit, {}});
  save_tokenizer(folder, data, "<|end|>", "{{ messages }}");
  const Tokenizer loaded = Tokenizer::load(folder), original(data);
  EXPECT_EQ(loaded.hash(), original.hash());
  EXPECT_NE(loaded.hash(), golden_tokenizer().hash());
  EXPECT_EQ(loaded.encode("the people 123"), original.encode("the people 123"));
  const Json config = parse_json(read_file(folder + "/tokenizer_config.json"), "tokenizer_config.json");
  EXPECT_EQ(config["eos_token"], "<|end|>");
  EXPECT_EQ(config["chat_template"], "{{ messages }}");
  EXPECT_THROW(save_tokenizer(folder, data, "<|none|>"), Error);
  std::filesystem::remove_all(folder);
}

// What a folder says around its texts is read, written and read again.
TEST(Tokenizer, FoldersSayHowSequencesBeginAndEnd) {
  const std::string folder = testing::TempDir() + "fude_tokenizer_config", again = folder + "/again";
  save_tokenizer(folder, golden_tokenizer().data(), "<|end|>");
  write_file(folder + "/tokenizer_config.json", R"({"bos_token": {"content": "<|end|>"}, "eos_token": "<mask>",
      "add_bos_token": true, "add_eos_token": true,
      "chat_template": [{"name": "tools", "template": "x"}, {"name": "default", "template": "{{ messages }}"}]})");
  const TokenizerData data = read_tokenizer(folder);
  const Tokenizer tokenizer(data);
  EXPECT_EQ(data.begin_token, tokenizer.find_special("<|end|>"));
  ASSERT_EQ(data.end_tokens.size(), 1u);
  EXPECT_EQ(tokenizer.bytes_of(data.end_tokens[0]), "<mask>");
  EXPECT_TRUE(data.prepends_begin && data.appends_end);
  EXPECT_EQ(data.chat_template, "{{ messages }}");
  save_tokenizer(again, data, "");
  const TokenizerData saved = read_tokenizer(again);
  const TokenizerData without_config = read_tokenizer(again + "/tokenizer.json");
  for (const TokenizerData* same : {&saved, &without_config}) {
    EXPECT_EQ(same->begin_token, data.begin_token);
    EXPECT_EQ(same->end_tokens, data.end_tokens);
    EXPECT_TRUE(same->prepends_begin && same->appends_end);
  }
  EXPECT_EQ(saved.chat_template, data.chat_template);
  write_file(folder + "/chat_template.jinja", "own file");
  EXPECT_EQ(read_tokenizer(folder).chat_template, "own file");
  std::filesystem::remove_all(folder);
}

// Whatever the file says of them: a user could begin or end a turn with them otherwise.
TEST(Tokenizer, TextNeverGivesTheTokensThatBeginOrEndSequences) {
  const std::string folder = testing::TempDir() + "fude_tokenizer_ends", text = "<s>a<|im_end|></s>";
  TokenizerData data = golden_tokenizer().data();
  const TokenId first = golden_tokenizer().vocabulary_size();
  for (const char* content : {"<s>", "<|im_end|>", "</s>", "<tool>"})
    data.added.push_back({.id = first + TokenId(data.added.size()), .content = content, .special = false});
  const Ids marks = Tokenizer(data).encode(text);
  ASSERT_EQ(marks.size(), 4u);
  save_tokenizer(folder, data, "");
  write_file(folder + "/tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": "<|im_end|>"})");
  write_file(folder + "/generation_config.json", Json{{"eos_token_id", {marks[2], marks[3]}}}.dump());
  const Tokenizer tokenizer = Tokenizer::load(folder);
  for (const Ids& ids : {tokenizer.encode(text), tokenizer.encode(std::vector<TextPiece>{{text, false}})}) {
    EXPECT_EQ(tokenizer.decode(ids), text);
    for (const TokenId mark : {marks[0], marks[2], marks[3]}) EXPECT_EQ(std::ranges::count(ids, mark), 0) << mark;
  }
  EXPECT_EQ(tokenizer.encode(std::vector<TextPiece>{{text, true}}), marks);
  EXPECT_EQ(tokenizer.encode("<tool>").size(), 1u);
  std::filesystem::remove_all(folder);
}

// Vocabularies too large to keep here: FUDE_RANKS_DIR is the folder that tools/fetch_ranks.py fills.
TEST(Tokenizer, EqualsTiktokenAndQwen) {
  const char* folder = std::getenv("FUDE_RANKS_DIR");
  if (folder == nullptr) GTEST_SKIP() << "set FUDE_RANKS_DIR to the folder made by tools/fetch_ranks.py";
  const Json golden = parse_json(read_file(kGoldens + "ranks.json"), "ranks.json");
  for (const std::string name : {"gpt2.tiktoken", "cl100k_base.tiktoken", "o200k_base.tiktoken", "qwen3"}) {
    const Tokenizer tokenizer = Tokenizer::load(std::string(folder) + "/" + name);
    const Json& expected = golden[name.substr(0, name.find('.'))];
    for (size_t i = 0; i < golden["texts"].size(); ++i)
      EXPECT_EQ(tokenizer.encode(golden["texts"][i].get<std::string>()), expected[i].get<Ids>())
          << name << ": " << golden["texts"][i];
  }
}

// llama.cpp's tokenizer vectors for what lies in FUDE_RANKS_DIR. Llama 3's does not: infer_test compares vectors with
// the vocabularies of llama.cpp's sources.
TEST(Tokenizer, EqualsLlamaCppVectors) {
  const char* ranks = std::getenv("FUDE_RANKS_DIR");
  const char* shared = std::getenv("FUDE_SHARED_DATA");
  if (ranks == nullptr || shared == nullptr) GTEST_SKIP() << "set FUDE_RANKS_DIR and FUDE_SHARED_DATA";
  const std::pair<std::string, std::string> cases[] = {{"gpt-2", "gpt2.tiktoken"}, {"qwen2", "qwen3"}};
  for (const auto& [vector, file] : cases)
    expect_tokenizer_vectors(Tokenizer::load(std::string(ranks) + "/" + file),
                             std::string(shared) + "/tokenizers/ggml-vocab-" + vector + ".gguf");
}

}  // namespace
}  // namespace fude
