// What a folder says beside its tokenizer.json.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer_file.h"

namespace fude {
namespace {

class TokenizerConfig : public testing::Test {
 protected:
  TokenizerConfig() {
    std::filesystem::remove_all(folder_);
    make_directories(folder_);
  }
  ~TokenizerConfig() override { std::filesystem::remove_all(folder_); }

  void write(const char* name, const Json& json) const { write_file(folder_ + "/" + name, json.dump()); }
  // Of a tokenizer with the entries a and </s>, and the special token <s>.
  TokenizerData read() const {
    TokenizerData data;
    data.vocabulary.tokens = {"a", "", "</s>"};
    data.added = {{.id = 1, .content = "<s>"}};
    read_tokenizer_config(folder_, data);
    return data;
  }

  std::string folder_ = testing::TempDir() + "fude_tokenizer_config_test";
};

TEST_F(TokenizerConfig, HasTheChatTemplate) {
  EXPECT_EQ(read().chat_template, "");
  write("tokenizer_config.json", {{"bos_token", nullptr}});
  EXPECT_EQ(read().chat_template, "");
  EXPECT_EQ(read().begin_token, kNoToken);
  write("tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", {{"content", "</s>"}}}, {"chat_template", "a"}});
  EXPECT_EQ(read().chat_template, "a");
  EXPECT_EQ(read().begin_token, 1);
  EXPECT_EQ(read().end_tokens, std::vector<TokenId>{2});
  const Json named = {{{"name", "tool_use"}, {"template", "c"}}, {{"name", "default"}, {"template", "b"}}};
  write("tokenizer_config.json", {{"chat_template", named}});
  EXPECT_EQ(read().chat_template, "b");
  write_file(folder_ + "/chat_template.jinja", "d");
  EXPECT_EQ(read().chat_template, "d");
  for (const Json& wrong : {Json::array(), Json{{"bos_token", 1}}, Json{{"eos_token", Json::object()}}}) {
    write("tokenizer_config.json", wrong);
    EXPECT_THROW(read(), Error) << wrong;
  }
}

TEST_F(TokenizerConfig, GenerationConfigSaysWhatElseEndsATurn) {
  write("tokenizer_config.json", {{"eos_token", "</s>"}});
  write("generation_config.json", {{"eos_token_id", {0, 2, 7, -1}}});
  EXPECT_EQ(read().end_tokens, (std::vector<TokenId>{2, 0}));
  write("generation_config.json", {{"eos_token_id", 1}});
  EXPECT_EQ(read().end_tokens, (std::vector<TokenId>{2, 1}));
  write("generation_config.json", {{"eos_token_id", nullptr}});
  EXPECT_EQ(read().end_tokens, std::vector<TokenId>{2});
  write("generation_config.json", {{"eos_token_id", "</s>"}});
  EXPECT_THROW(read(), Error);
}

// As transformers makes the generation configuration that is missing of the model's.
TEST_F(TokenizerConfig, ConfigSaysItWhereThereIsNoGenerationConfig) {
  write("tokenizer_config.json", {{"eos_token", "</s>"}});
  write("config.json", {{"eos_token_id", {0, 2, 7}}});
  EXPECT_EQ(read().end_tokens, (std::vector<TokenId>{2, 0}));
  write("config.json", {{"eos_token_id", 1}});
  EXPECT_EQ(read().end_tokens, (std::vector<TokenId>{2, 1}));
  write("config.json", {{"eos_token_id", "</s>"}});
  EXPECT_THROW(read(), Error);
  write("generation_config.json", Json::object());
  EXPECT_EQ(read().end_tokens, std::vector<TokenId>{2});
}

TEST_F(TokenizerConfig, RefusesEndsWithoutEnd) {
  write("generation_config.json", {{"eos_token_id", std::vector<int>(1024, 2)}});
  EXPECT_EQ(read().end_tokens, std::vector<TokenId>{2});
  write("generation_config.json", {{"eos_token_id", std::vector<int>(1025, 2)}});
  try {
    read();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected at most 1024 ids at 'eos_token_id', got 1025"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(TokenizerConfig, SavingTakesAwayWhatAnEarlierOneLeft) {
  TokenizerData data = read();
  data.chat_template = "new";
  write_file(folder_ + "/chat_template.jinja", "old");
  write("generation_config.json", {{"eos_token_id", 0}});
  write_file(folder_ + "/notes.txt", "of the user");
  save_tokenizer(folder_, data, "");
  const TokenizerData saved = read_tokenizer(folder_);
  EXPECT_EQ(saved.chat_template, "new");
  EXPECT_TRUE(saved.end_tokens.empty());
  EXPECT_TRUE(file_exists(folder_ + "/notes.txt"));
}

TEST_F(TokenizerConfig, SavedFoldersEndTurnsAlike) {
  const std::string again = folder_ + "/again";
  write("tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  for (const Json& ends : {Json(nullptr), Json(1), Json{0, 1}}) {
    write("generation_config.json", {{"eos_token_id", ends}});
    const TokenizerData data = read();
    save_tokenizer(again, data, "");
    const TokenizerData saved = read_tokenizer(again);
    EXPECT_EQ(saved.end_tokens, data.end_tokens) << ends;
    EXPECT_EQ(saved.begin_token, 1);
  }
}

// Fude needs neither, but other programs that get the folder do.
TEST_F(TokenizerConfig, SavedFoldersKeepThePaddingAndTheUnknownToken) {
  const std::string again = folder_ + "/again";
  write("tokenizer_config.json", {{"pad_token", {{"content", "<s>"}}}});
  TokenizerData data = read();
  EXPECT_EQ(data.padding_token, 1);
  data.vocabulary.unknown = 1;
  save_tokenizer(again, data, "");
  Json config = parse_json(read_file(again + "/tokenizer_config.json"), "again");
  EXPECT_EQ(config["pad_token"], "<s>");
  EXPECT_EQ(config["unk_token"], "<s>");
  EXPECT_EQ(read_tokenizer(again).padding_token, 1);
  write("tokenizer_config.json", {{"pad_token", nullptr}});
  data = read();
  EXPECT_EQ(data.padding_token, kNoToken);
  data.vocabulary.unknown = 0;
  save_tokenizer(again, data, "");
  config = parse_json(read_file(again + "/tokenizer_config.json"), "again");
  EXPECT_FALSE(config.contains("pad_token"));
  EXPECT_FALSE(config.contains("unk_token"));
}

}  // namespace
}  // namespace fude
