// The world is consistent, depends on its seed, and its words can be told apart by searching for them.
#include "tasks/world.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tasks/phrases.h"

namespace fude {
namespace {

TEST(World, IsAFunctionOfItsSeed) {
  const World first(1), again(1), other(2);
  int different = 0;
  for (int p = 0; p < int(people().size()); ++p)
    for (int a = 0; a < kAttributes; ++a) {
      EXPECT_EQ(first.value(p, Attribute(a)), again.value(p, Attribute(a)));
      EXPECT_EQ(first.held_out(p, Attribute(a)), again.held_out(p, Attribute(a)));
      different += first.value(p, Attribute(a)) != other.value(p, Attribute(a));
    }
  EXPECT_GT(different, 100);
}

TEST(World, PlaceFollowsFromTown) {
  const World world(3);
  for (int p = 0; p < int(people().size()); ++p)
    EXPECT_EQ(world.value(p, Attribute::place), world.town_place(world.value(p, Attribute::town)));
}

TEST(World, HoldsOutAQuarterOfEachAttributeAndAtMostTwoOfAPerson) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const World world(seed);
    for (int a = 0; a < kAttributes; ++a) {
      int held = 0;
      for (int p = 0; p < int(people().size()); ++p) held += world.held_out(p, Attribute(a));
      EXPECT_EQ(held, 10);
    }
    for (int p = 0; p < int(people().size()); ++p) {
      int held = 0;
      for (int a = 0; a < kAttributes; ++a) held += world.held_out(p, Attribute(a));
      EXPECT_GE(held, 1);
      EXPECT_LE(held, 2);
    }
  }
}

TEST(World, NoWordHidesInAnother) {
  std::vector<std::string> names;
  for (const Person& person : people()) names.emplace_back(person.japanese);
  for (int a = 0; a < kAttributes; ++a) {
    std::vector<std::string> words = names;
    for (const Word& word : attribute_values(Attribute(a))) words.emplace_back(word.japanese);
    for (size_t i = 0; i < words.size(); ++i)
      for (size_t j = 0; j < words.size(); ++j)
        EXPECT_TRUE(i == j || words[i].find(words[j]) == std::string::npos) << words[i] << " holds " << words[j];
  }
  for (const Word& town : attribute_values(Attribute::town))
    for (const Word& place : attribute_values(Attribute::place))
      EXPECT_EQ(std::string(town.japanese).find(place.japanese), std::string::npos);
}

TEST(Phrases, EveryPatternFillsInAndEveryFactHasManyForms) {
  const Person& person = people()[0];
  for (Language language : {Language::english, Language::japanese}) {
    const Phrases& phrase = phrases(language);
    std::set<std::string> seen;
    size_t patterns = 0;
    for (int a = 0; a < kToldAttributes; ++a) {
      EXPECT_GE(phrase.statements[size_t(a)].size(), 10u);
      for (std::string_view pattern : phrase.statements[size_t(a)])
        for (bool known : {false, true}) {
          const Word& value = attribute_values(Attribute(a))[3];
          const std::string text = say(language, pattern, person, value, known);
          EXPECT_EQ(text.find_first_of("{}"), std::string::npos) << text;
          EXPECT_NE(text.find(in_language(value, language)), std::string::npos) << text;
          if (!known) {
            EXPECT_NE(text.find(in_language(person, language)), std::string::npos) << text;
            seen.insert(text);
            ++patterns;
          }
        }
    }
    EXPECT_EQ(seen.size(), patterns);
    for (const Patterns& questions : phrase.questions) EXPECT_EQ(questions.size(), 4u);
    EXPECT_GE(phrase.town_statements.size(), 10u);
  }
}

TEST(Phrases, UseTheArticleAndThePronoun) {
  const Word& owl = attribute_values(Attribute::animal)[9];
  EXPECT_EQ(say(Language::english, "{Who} has {a value}.", people()[1], owl, false), "Kenta has an owl.");
  EXPECT_EQ(say(Language::english, "{Whose} {value} likes {whom}.", people()[0], owl, true), "Her owl likes her.");
  EXPECT_EQ(say(Language::japanese, "{は}{値}を飼っています。", people()[0], owl, true), "フクロウを飼っています。");
}

}  // namespace
}  // namespace fude
