#include "text/sentencepiece.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/reference/random_text.h"
#include "tests/support/growth.h"
#include "text/base64.h"
#include "text/byte_names.h"
#include "text/charsmap.h"
#include "text/gguf_tokenizer.h"
#include "text/tokenizer.h"

namespace fude {
namespace {

using Ids = std::vector<TokenId>;
const std::string kPieceGoldens = std::string(FUDE_SOURCE_DIR) + "/tests/goldens/sentencepiece/";
const char* const kModels[] = {"bpe.model", "bpe_runs.model", "bpe_unknown.model", "unigram.model",
                               "unigram_bytes.model"};
const char* const kFiles[] = {"llama.json", "mistral.json", "gemma.json", "unknown.json", "t5.json"};

Json expected() { return parse_json(read_file(kPieceGoldens + "expected.json"), "expected.json"); }

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 128; value >>= 7) out += char(value | 128);
  return out + char(value);
}
std::string number_field(uint64_t field, uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes_field(uint64_t field, const std::string& bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string piece(const std::string& text, uint64_t type) {
  return bytes_field(1, bytes_field(1, text) + number_field(3, type));
}
// A BPE model with a normaliser that only marks blanks.
std::string model_of(const std::string& pieces, const std::string& trainer = "", const std::string& normalizer = "") {
  return pieces + bytes_field(2, number_field(3, 2) + trainer) +
         bytes_field(3, number_field(3, 0) + number_field(4, 0) + normalizer);
}

TEST(SentencePiece, EqualsSentencePiece) {
  const Json golden = expected();
  for (const char* name : kModels) {
    const Tokenizer tokenizer = Tokenizer::load(kPieceGoldens + name);
    for (size_t i = 0; i < golden["texts"].size(); ++i)
      EXPECT_EQ(tokenizer.encode(golden["texts"][i].get<std::string>()), golden[name][i].get<Ids>())
          << name << ": " << golden["texts"][i];
  }
}

// But for one thing: Hugging Face's lets plain text give special tokens where the vocabulary holds them and no merge is
// needed.
TEST(SentencePiece, EqualsHuggingFace) {
  const Json golden = expected();
  for (const char* name : kFiles) {
    const Tokenizer tokenizer = Tokenizer::load(kPieceGoldens + name);
    for (size_t i = 0; i < golden["texts"].size(); ++i) {
      const std::string text = golden["texts"][i];
      const bool spells_special = text.find("s>") != text.npos || text.find("<un") != text.npos;
      if (!spells_special || name == kFiles[0]) {
        EXPECT_EQ(tokenizer.encode(text), golden[name][0][i].get<Ids>()) << name << ": " << text;
      }
      EXPECT_EQ(tokenizer.encode(text, SpecialTokens::recognised), golden[name][1][i].get<Ids>())
          << name << ": " << text;
    }
  }
}

TEST(SentencePiece, SavedFileIsTheSameTokenizer) {
  const Json golden = expected();
  for (const auto& names : {std::vector<const char*>(std::begin(kModels), std::end(kModels)),
                            std::vector<const char*>(std::begin(kFiles), std::end(kFiles))})
    for (const char* name : names) {
      const Tokenizer tokenizer = Tokenizer::load(kPieceGoldens + name);
      const Tokenizer saved(parse_tokenizer_json(tokenizer_json(tokenizer.data()), name));
      EXPECT_EQ(tokenizer_json(saved.data()), tokenizer_json(tokenizer.data())) << name;
      for (const std::string text : golden["texts"])
        for (const auto special : {SpecialTokens::as_text, SpecialTokens::recognised}) {
          const Ids ids = tokenizer.encode(text, special);
          EXPECT_EQ(saved.encode(text, special), ids) << name << ": " << text;
          EXPECT_EQ(saved.decode(ids), tokenizer.decode(ids)) << name << ": " << text;
        }
    }
}

// With bytes to fall back to, every text comes back, be it UTF-8 or not; ▁ itself is a blank from then on.
TEST(SentencePiece, RoundTripsAnyBytes) {
  for (const char* name : {"bpe.model", "bpe_runs.model", "unigram_bytes.model", "llama.json", "gemma.json"}) {
    const Tokenizer tokenizer = Tokenizer::load(kPieceGoldens + name);
    Random random{11, 1};
    for (int n = 0; n < 1000; ++n) {
      std::string text = reference::random_text(random, random.below(30));
      for (uint64_t k = random.below(4); k > 0; --k) text += char(random.below(256));
      if (text.find("<sep>") != text.npos) continue;
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text)), replace_all(text, kBlankMark, " ")) << name;
    }
  }
}

TEST(SentencePiece, SpecialPiecesAreTextUnlessAskedFor) {
  const Tokenizer tokenizer = Tokenizer::load(kPieceGoldens + "bpe.model");
  const TokenizerData& data = tokenizer.data();
  EXPECT_EQ(data.begin_token, 1);
  EXPECT_EQ(data.end_tokens, Ids{2});
  EXPECT_EQ(tokenizer.encode("</s>", SpecialTokens::recognised), Ids{2});
  for (const TokenId id : tokenizer.encode("</s><s><unk>")) EXPECT_FALSE(tokenizer.is_special(id));
  EXPECT_EQ(tokenizer.bytes_of(3 + 0x41), "A");
  EXPECT_EQ(tokenizer.bytes_of(2), "</s>");
}

// As the models of Llama 2 and Gemma; T5's are unigram ones. A tokenizer_config.json beside the file has the last word.
TEST(SentencePiece, SequencesOfABpeModelBeginWithItsControlPiece) {
  const auto begins = [](const char* name) { return read_tokenizer(kPieceGoldens + name).prepends_begin; };
  EXPECT_TRUE(begins("bpe.model"));
  EXPECT_FALSE(begins("unigram.model"));
  const std::string pieces = piece("<unk>", 2) + piece("a", 1);
  EXPECT_FALSE(parse_sentencepiece(model_of(pieces), "model").prepends_begin);

  const std::string folder = testing::TempDir() + "fude_sentencepiece_test";
  make_directories(folder);
  write_file(folder + "/tokenizer.model", read_file(kPieceGoldens + "bpe.model"));
  EXPECT_TRUE(read_tokenizer(folder).prepends_begin);
  write_file(folder + "/tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_FALSE(read_tokenizer(folder).prepends_begin);
  std::filesystem::remove_all(folder);
}

// One character again and again, words without end, and what has no entry: work in proportion to the text.
TEST(SentencePiece, TimeIsLinear) {
  for (const char* name : {"bpe.model", "unigram.model", "unigram_bytes.model", "gemma.json", "t5.json"}) {
    const Tokenizer tokenizer = Tokenizer::load(kPieceGoldens + name);
    for (const std::string unit : {"a", " ", "the mill", "\xE6\xBC\xA2", "\xFF"})
      EXPECT_LT(growth_over_eightfold(20000,
                                      [&](size_t n) {
                                        std::string text;
                                        while (text.size() < n) text += unit;
                                        tokenizer.encode(text);
                                      }),
                24)
          << name << " '" << unit << "'";
  }
}

TEST(SentencePiece, RefusesWhatItCannotDo) {
  const std::string good = piece("<unk>", 2) + piece("a", 1);
  EXPECT_EQ(Tokenizer(parse_sentencepiece(model_of(good), "model")).encode("aab"), (Ids{1, 1, 0}));
  const std::pair<std::string, const char*> cases[] = {
      {"", "no pieces"},
      {model_of(good) + "\x0A", "expected 1 more bytes"},
      {model_of(good) + "\x0A\x05", "expected 5 more bytes"},
      {model_of(good) + "\x0B", "unknown wire type 3"},
      {model_of(good) + std::string(11, '\xFF'), "more than ten bytes"},
      {model_of(good) + number_field(1, 7), "expected bytes in the protobuf field 1"},
      {model_of(good, number_field(3, 3)), "the model type 3"},
      {model_of(good, number_field(24, 1)), "treat_whitespace_as_suffix"},
      {model_of(good, number_field(35, 1)), "<0x00> is missing"},
      {model_of(good, "", number_field(5, 0)), "does not write blanks as"},
      {model_of(good + piece("x", 4), "", number_field(3, 1)), "user-defined pieces"},
      {model_of(good + piece("aa", 5)), "the unused piece 'aa'"},
      {model_of(good + piece("x", 7)), "piece type in [1, 6], got 7"},
      {model_of(good + piece("\xFF", 1)), "bytes of UTF-8 at id 2"},
      {model_of(good + piece(std::string(1025, 'a'), 1)), "of 1 to 1024 bytes"},
      {model_of(good + piece("a", 1)), "have the same bytes"},
      {model_of(good + bytes_field(1, bytes_field(1, "b") + "\x15" + std::string("\0\0\xC0\x7F", 4))), "not finite"},
  };
  for (const auto& [bytes, message] : cases) {
    std::string got;
    try {
      Tokenizer{parse_sentencepiece(bytes, "model")};
    } catch (const Error& error) { got = error.what(); }
    EXPECT_NE(got.find(message), std::string::npos) << message << ", got: " << got;
  }
}

// 'a' leads from unit 0 to unit 97 and back for ever.
TEST(Charsmap, ACircleEnds) {
  std::string trie(4 * 98, '\0');
  trie[4 * 97] = 'a';
  trie[4 * 97 + 1] = char(('a' << 2) & 0xFF), trie[4 * 97 + 2] = char('a' >> 6);  // 97 << 10
  const std::string size = {char(trie.size() & 0xFF), char(trie.size() >> 8), 0, 0};
  const std::string text(200'000, 'a');
  EXPECT_EQ(normalize({{NormalStep::Kind::charsmap, size + trie + '\0'}}, text), text);  // within seconds
}

// A double array that points out of itself, and lengths that do not fit.
TEST(Charsmap, ChecksWhatItFollows) {
  const std::string unit(4, '\0');
  EXPECT_EQ(normalize({{NormalStep::Kind::charsmap, std::string("\4\0\0\0", 4) + unit + '\0'}}, "abc\xFF"), "abc\xFF");
  for (const std::string& bytes : {std::string(), std::string("\4\0\0", 3), std::string("\5\0\0\0", 4) + unit + "\0\0",
                                   std::string("\4\0\0\0", 4) + unit, std::string("\xFF\xFF\xFF\xFF", 4) + unit})
    EXPECT_THROW(Charsmap{bytes}, Error);
}

std::string little_endian(uint32_t value) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += char(value >> (8 * i));
  return out;
}

// The trie of one byte, 'a', whose unit has a value in another one.
std::string charsmap_of_a(uint32_t value_unit, uint32_t value) {
  std::vector<uint32_t> units(256);
  units['a'] = 'a' | 1 << 8 | ('a' ^ value_unit) << 10;
  if (value_unit < units.size()) units[value_unit] = value | uint32_t(1) << 31;
  std::string trie;
  for (const uint32_t unit : units) trie += little_endian(unit);
  return little_endian(uint32_t(trie.size())) + trie + std::string("x\0y\0", 4);
}

// What points out of the table is refused with the file, not with the first text that it is met in.
TEST(Charsmap, ADamagedOneIsRefusedWithItsFile) {
  EXPECT_EQ(normalize({{NormalStep::Kind::charsmap, charsmap_of_a(1, 2)}}, "bab"), "byb");
  const auto error = [](const auto& read, const std::string& map) -> std::string {
    try {
      read(map);
    } catch (const Error& error) { return error.what(); }
    return "";
  };
  const auto model = [](const std::string& map) {
    parse_sentencepiece(model_of(piece("<unk>", 2) + piece("a", 1), "", bytes_field(2, map)), "file");
  };
  const auto json = [](const std::string& map) {
    std::string text;
    append_base64(text, map);
    const Json file = {{"normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", text}}},
                       {"pre_tokenizer", {{"type", "Metaspace"}}},
                       {"decoder", {{"type", "Metaspace"}}},
                       {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}}}, {"merges", Json::array()}}}};
    parse_tokenizer_json(file.dump(), "file");
  };
  const auto gguf = [](const std::string& map) {
    GgufTokenizer file;
    file.model = "t5";
    file.pieces = {{"<unk>", "a"}, {0, -1}, {2, 1}};
    file.charsmap = map;
    read_gguf_tokenizer(file, "file");
  };
  for (const auto& read : std::vector<std::function<void(const std::string&)>>{model, json, gguf}) {
    EXPECT_EQ(error(read, charsmap_of_a(1, 2)), "");
    EXPECT_NE(error(read, charsmap_of_a(1, 4)).find("[file] [charsmap] a replacement begins at 4 of 4"),
              std::string::npos);
    EXPECT_NE(error(read, charsmap_of_a(256, 0)).find("points to unit 256 of 256"), std::string::npos);
    EXPECT_NE(error(read, "\1").find("expected a trie"), std::string::npos);
  }
}

}  // namespace
}  // namespace fude
