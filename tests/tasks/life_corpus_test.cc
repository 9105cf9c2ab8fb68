// The corpus is a pure function of seed and number, natural text of the promised size, and keeps its held-out promise.
#include "tasks/life_corpus.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <map>
#include <set>

#include "base/error.h"
#include "tasks/phrases.h"

namespace fude {
namespace {

// Characters of valid UTF-8, −1 if it is not valid.
int characters(std::string_view text) {
  int count = 0;
  for (size_t i = 0; i < text.size(); ++count) {
    const uint8_t lead = uint8_t(text[i]);
    const int length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + size_t(length) > text.size()) return -1;
    for (int k = 1; k < length; ++k)
      if (uint8_t(text[i + size_t(k)]) >> 6 != 2) return -1;
    i += size_t(length);
  }
  return count;
}

TEST(LifeCorpus, AnyDocumentAnyTimeIsTheSame) {
  const LifeCorpus corpus(7), again(7), other(8);
  std::vector<std::string> first;
  for (int64_t i = 0; i < 200; ++i) first.push_back(corpus.document(i).render({}));
  int same = 0;
  for (int64_t i = 199; i >= 0; --i) {
    EXPECT_EQ(again.document(i).render({}), first[size_t(i)]);
    same += other.document(i).render({}) == first[size_t(i)];
  }
  EXPECT_LT(same, 5);
  EXPECT_EQ(corpus.document(int64_t(1) << 40).render({}), again.document(int64_t(1) << 40).render({}));
  EXPECT_THROW(corpus.document(-1), Error);
  EXPECT_THROW(corpus.held_out(corpus.held_out_limit() + 1), Error);
}

TEST(LifeCorpus, DocumentsAreValidAndOfOneSize) {
  const LifeCorpus corpus(7);
  int japanese = 0, chats = 0;
  std::set<std::string> distinct;
  for (int64_t i = 0; i < 50000; ++i) {
    const Passage document = corpus.document(i);
    const std::string text = document.render({});
    std::string said;
    for (const Turn& segment : document.segments) said += segment.text;
    const int length = characters(said);
    ASSERT_GE(length, 40) << text;
    ASSERT_LE(length, 600) << text;
    for (size_t s = 0; s < document.segments.size(); ++s) {
      const Turn& segment = document.segments[s];
      EXPECT_FALSE(segment.text.empty());
      EXPECT_EQ(segment.text.find_first_of("{}<>|"), std::string::npos) << segment.text;
      if (document.segments.size() > 1) { EXPECT_EQ(segment.role, s % 2 == 0 ? Role::user : Role::assistant); }
    }
    chats += document.segments[0].role == Role::user;
    japanese += text.find("。") != std::string::npos;
    distinct.insert(text);
  }
  EXPECT_NEAR(japanese, 25000, 800);
  EXPECT_NEAR(chats, 25000, 1000);
  EXPECT_GT(distinct.size(), 48000u);
}

TEST(Dialogue, RendersTurnsBetweenMarkers) {
  const Passage chat{{{Role::user, "Hi."}, {Role::assistant, "Hello."}}};
  EXPECT_EQ(chat.render({}), "<|user|>Hi.<|end|><|assistant|>Hello.<|end|>");
  EXPECT_EQ(chat.render({"U:", " A:", ""}), "U:Hi. A:Hello.");
  EXPECT_EQ((Passage{{{Role::none, "Plain."}}}).render({}), "Plain.");
}

TEST(LifeCorpus, HeldOutPairsAreNeverAskedOrAnsweredInChat) {
  const LifeCorpus corpus(7);
  std::set<std::string> questions, answers;
  for (int64_t i = 0; i < corpus.facts().held_out_count(); ++i) {
    const Example example = corpus.facts().held_out(i);
    questions.insert(example.question.prompt);
    answers.insert(example.solution);
  }
  EXPECT_EQ(questions.size(), size_t(corpus.facts().held_out_count()));
  std::set<std::string> stated;
  int asked = 0;
  const auto check = [&](const Passage& document) {
    for (const Turn& segment : document.segments) {
      if (segment.role == Role::user) {
        ASSERT_FALSE(questions.contains(segment.text)) << segment.text;
        ++asked;
      } else if (segment.role == Role::assistant) {
        ASSERT_FALSE(answers.contains(segment.text)) << segment.text;
      }
    }
  };
  for (int64_t i = 0; i < 200000; ++i) check(corpus.document(i));
  for (int64_t i = 0; i < 50000; ++i) check(corpus.fact_chat(i));
  EXPECT_GT(asked, 100000);
}

// The two-digit sums written out in a text ("27 + 15"), and the first two numbers of it.
std::vector<Sum> sums_in(const std::string& text) {
  std::vector<Sum> found;
  for (size_t i = 0; i < text.size(); ++i) {
    Sum sum;
    if (std::isdigit(uint8_t(text[i])) && std::sscanf(&text[i], "%2d %c %2d", &sum.left, &sum.sign, &sum.right) == 3 &&
        sum.left > 9 && sum.right > 9 && (sum.sign == '+' || sum.sign == '-'))
      found.push_back(sum);
  }
  return found;
}

std::vector<int> operands_of(const std::string& text) {
  std::vector<int> found;
  for (size_t i = 0; i < text.size() && found.size() < 2; ++i)
    if (std::isdigit(uint8_t(text[i]))) {
      size_t length = 0;
      found.push_back(std::stoi(text.substr(i), &length));
      i += length;
    }
  return found;
}

TEST(LifeCorpus, HeldOutSumsNeverAppearInAnyForm) {
  const LifeCorpus corpus(7);
  size_t seen = 0;
  const auto check = [&](const Passage& document) {
    for (const Turn& segment : document.segments)
      for (const Sum& sum : sums_in(segment.text)) {
        ASSERT_FALSE(corpus.arithmetic().held_out(sum)) << segment.text;
        ++seen;
      }
    // A story names no sum, but its solution begins with the same operands.
    for (size_t s = 0; s + 1 < document.segments.size(); s += 2) {
      const auto operands = operands_of(document.segments[s].text);
      if (operands.size() == 2) {
        ASSERT_EQ(operands, operands_of(document.segments[s + 1].text)) << document.segments[s].text;
      }
    }
  };
  for (int64_t i = 0; i < 50000; ++i) check(corpus.sum_chat(i));
  for (int64_t i = 0; i < 50000; ++i) check(corpus.document(i));
  EXPECT_GT(seen, 100000u);
}

TEST(LifeCorpus, ProseTellsEveryFact) {
  const LifeCorpus corpus(7);
  std::map<std::string, int> told;
  for (int64_t i = 0; i < 40000; ++i) {
    const std::string text = corpus.prose(i).segments[0].text;
    for (size_t from = 0, to; (to = text.find('.', from)) != text.npos; from = to + 2)
      ++told[text.substr(from, to + 1 - from)];
  }
  for (int p = 0; p < int(people().size()); ++p)
    for (int a = 0; a < kToldAttributes; ++a)
      for (std::string_view pattern : phrases(Language::english).statements[size_t(a)])
        EXPECT_GT(
            told[say(Language::english, pattern, people()[size_t(p)], corpus.world().word(p, Attribute(a)), false)], 0);
}

TEST(LifeCorpus, HeldOutQuestionsAreDistinctMixedAndSolvable) {
  const LifeCorpus corpus(7);
  const auto questions = corpus.held_out(400);
  ASSERT_EQ(questions.size(), 400u);
  std::set<std::string> prompts;
  std::map<std::string, int> languages, kinds;
  for (const Question& question : questions) {
    prompts.insert(question.prompt);
    ++languages[question.language];
    ++kinds[question.kind];
    EXPECT_GT(characters(question.prompt), 5);
    EXPECT_TRUE(verify(question, question.answer));
    std::string list;
    for (const std::string& wrong : question.wrong) list += wrong + " ";
    EXPECT_FALSE(verify(question, list + question.answer + " 1"));
  }
  EXPECT_EQ(prompts.size(), 400u);
  EXPECT_EQ(languages["en"], 200);
  EXPECT_EQ(kinds.size(), 9u);
  EXPECT_EQ(kinds["addition"] + kinds["subtraction"], 200);
  for (int64_t i = 0; i < corpus.facts().held_out_count(); ++i) {
    const Example example = corpus.facts().held_out(i);
    EXPECT_TRUE(verify(example.question, example.solution)) << example.solution;
  }
  EXPECT_EQ(corpus.held_out(10)[9].prompt, questions[9].prompt);
}

}  // namespace
}  // namespace fude
