// Thinking budgets, on a model that says anything.
#include "reason/budget.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "reason/sample.h"
#include "tests/support/chat_case.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

class BudgetTest : public testing::Test {
 protected:
  BudgetTest() {
    ModelConfig config = small_config("qwen3");
    config.vocabulary = kChatVocabulary;
    model = std::make_unique<Transformer>(device, config);
    model->initialise(3);
  }
  // Marks are rare among random tokens, so the mask is asked directly what it would allow.
  static std::vector<float> logits() { return std::vector<float>(size_t(kChatVocabulary), 0.0f); }
  static std::vector<int32_t> allowed(TokenMask& mask, std::vector<float> logits_V = logits()) {
    mask.apply(logits_V);
    std::vector<int32_t> ids;
    for (size_t i = 0; i < logits_V.size(); ++i)
      if (logits_V[i] > -INFINITY) ids.push_back(int32_t(i));
    return ids;
  }

  const Chat chat{byte_tokenizer()};
  const int32_t think = 261, close = 262;
  Device device{1};
  std::unique_ptr<Transformer> model;
};

TEST_F(BudgetTest, CutsAtTheMost) {
  const auto mask = thinking_masks(chat, {.most = 3}, false)();
  EXPECT_EQ(allowed(*mask).size(), size_t(kChatVocabulary));
  mask->accept(think);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(allowed(*mask).size(), size_t(kChatVocabulary) - chat.stops().size()) << i;
    mask->accept('a');
  }
  EXPECT_EQ(allowed(*mask), std::vector<int32_t>({close}));
  mask->accept(close);
  EXPECT_EQ(allowed(*mask).size(), size_t(kChatVocabulary));
}

// Where the model would end its thought, the words come instead; elsewhere only the marks are ruled out.
TEST_F(BudgetTest, GoesOnUntilTheLeast) {
  const auto mask = thinking_masks(chat, {.least = 4, .go_on = "Ha"}, false)();
  EXPECT_EQ(allowed(*mask), std::vector<int32_t>({think}));  // a least thought begins
  mask->accept(think);
  std::vector<int32_t> now = allowed(*mask);
  EXPECT_EQ(std::ranges::count(now, close), 0);
  for (int32_t stop : chat.stops()) EXPECT_EQ(std::ranges::count(now, stop), 0);
  std::vector<float> would_close = logits();
  would_close[size_t(close)] = 5;
  EXPECT_EQ(allowed(*mask, would_close), std::vector<int32_t>({'H'}));
  mask->accept('H');
  EXPECT_EQ(allowed(*mask, would_close), std::vector<int32_t>({'a'}));
  mask->accept('a');
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(std::ranges::count(allowed(*mask), close), 0);
    mask->accept('x');
  }
  EXPECT_EQ(std::ranges::count(allowed(*mask, would_close), close), 1);
}

TEST_F(BudgetTest, GoesOnWithinTheMost) {
  std::vector<float> would_close = logits();
  would_close[size_t(close)] = 5;
  const auto masks = thinking_masks(chat, {.most = 4, .least = 4, .go_on = "Ha"}, /*is_thought_open=*/true);
  for (int first = 0; first < 4; ++first) {
    const auto mask = masks();
    for (int i = 0; i < first; ++i) mask->accept('x');
    const std::vector<int32_t> now = allowed(*mask, would_close);
    if (first <= 2) {
      EXPECT_EQ(now, std::vector<int32_t>({'H'})) << first;
      continue;
    }
    EXPECT_EQ(now.size(), size_t(kChatVocabulary) - 1 - chat.stops().size()) << "one token, and no room for two";
    mask->accept('x');
    EXPECT_EQ(allowed(*mask, would_close), std::vector<int32_t>({close}));
  }
}

TEST_F(BudgetTest, AnAnswerWithoutAThoughtIsLeftAlone) {
  const auto mask = thinking_masks(chat, {.most = 2}, false)();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(allowed(*mask).size(), size_t(kChatVocabulary));
    mask->accept('a');
  }
}

// In the engine: every answer that thinks, thinks within its budget, whatever the draws.
TEST_F(BudgetTest, HoldsInTheEngine) {
  Engine engine(*model, default_kernels(), {.cache_tokens = 4096});
  const auto masks = thinking_masks(chat, {.most = 6, .least = 3, .go_on = ""}, false);
  SampleOptions options{.answers = 20, .max_tokens = 24, .mask = [&](size_t, int64_t) { return masks(); }};
  const auto answers = sample_answers(engine, {chat.question("hi")}, chat.stops(), options);
  for (const SampledAnswer& answer : answers.front()) {
    ASSERT_GE(answer.tokens.size(), 5u);
    EXPECT_EQ(answer.tokens.front().token, think);
    const auto end = std::ranges::find(answer.tokens, close, &SampledToken::token);
    ASSERT_NE(end, answer.tokens.end());
    const auto thought = end - answer.tokens.begin() - 1;
    EXPECT_GE(thought, 3);
    EXPECT_LE(thought, 6);
  }
}

TEST_F(BudgetTest, RefusesWhatCannotBe) {
  EXPECT_THROW(thinking_masks(chat, {.most = 2, .least = 3}, false), Error);
  TokenizerData plain = chat.tokenizer().data();
  plain.added.resize(5);
  plain.chat_template = "{{ messages[0].content }}";
  EXPECT_THROW(thinking_masks(Chat(Tokenizer(plain)), {.most = 2}, false), Error);
  EXPECT_FALSE(thinking_masks(chat, {}, false));
}

// Some templates begin an answer's thought themselves.
TEST(OpensThought, WhereTheTemplateDoes) {
  const std::string turns = "{% for m in messages %}{{ m.content }}{% endfor %}";
  const Chat opens(byte_tokenizer(turns + "<|assistant|><think>\n")), does_not(byte_tokenizer(turns + "<|assistant|>")),
      spoken(byte_tokenizer(turns));
  EXPECT_TRUE(opens.opens_thought(opens.question("why?")));
  EXPECT_FALSE(does_not.opens_thought(does_not.question("why?")));
  const Json asked = Json::array({{{"role", "user"}, {"content", "<think>"}}});
  EXPECT_TRUE(opens.opens_thought(opens.render(asked)));
  EXPECT_FALSE(spoken.opens_thought(spoken.render(asked))) << "what a user writes opens nothing";
}

TEST(SplitThought, InTwo) {
  const auto split = [](std::string_view text, bool begins_in_thought = false) {
    const ThoughtAndAnswer parts = split_thought(text, begins_in_thought);
    return std::tuple(std::string(parts.thought), std::string(parts.answer), parts.is_thought_open);
  };
  EXPECT_EQ(split("<think>\na b\n</think>\n\n7"), std::tuple("a b", "7", false));
  EXPECT_EQ(split("7"), std::tuple("", "7", false));
  EXPECT_EQ(split("7 <think>no</think>"), std::tuple("", "7 <think>no</think>", false));
  EXPECT_EQ(split("<think>still"), std::tuple("still", "", true));
  EXPECT_EQ(split("so </think>7", true), std::tuple("so", "7", false));
  EXPECT_EQ(split("so", true), std::tuple("so", "", true));
  EXPECT_EQ(split("<think></think>"), std::tuple("", "", false));
}

}  // namespace
}  // namespace fude
