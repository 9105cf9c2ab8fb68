#include "tasks/facts.h"

#include "base/error.h"
#include "tasks/phrases.h"

namespace fude {
namespace {
constexpr uint64_t kFactStream = 0x6661637473000000;
constexpr int64_t kPhrasings = 4;  // of each question, in each language
}  // namespace

Facts::Facts(const World& world, uint64_t seed) : world_(world) {
  Random random{seed, kFactStream};
  for (int index : shuffled(int(people().size()) * kAttributes, random)) {
    const Pair pair{index / kAttributes, Attribute(index % kAttributes)};
    if (world_.held_out(pair.person, pair.attribute)) held_out_.push_back(pair);
  }
}

Example Facts::example(Language language, int person, Attribute attribute, uint64_t variant) const {
  const Phrases& phrase = phrases(language);
  const Person& who = people()[size_t(person)];
  const Word& value = world_.word(person, attribute);
  const Patterns& questions = phrase.questions[size_t(attribute)];

  Example example;
  Question& question = example.question;
  question.prompt = say(language, questions[variant % questions.size()], who, value, false);
  question.answer = in_language(value, language);
  question.kind = attribute_name(attribute);
  question.language = language_code(language);
  for (const Word& other : attribute_values(attribute))
    if (other.english != value.english) question.wrong.emplace_back(in_language(other, language));
  for (const Person& other : people())
    if (other.english != who.english) question.wrong.emplace_back(in_language(other, language));

  example.solution = attribute == Attribute::place
                         ? say_place(language, who, world_.word(person, Attribute::town), value)
                         : say(language, phrase.statements[size_t(attribute)][0], who, value, false);
  return example;
}

Attribute Facts::practice_attribute(Random& random, int person) const {
  for (;;) {  // ends: at most two attributes of a person are held out
    const Attribute attribute = Attribute(random.below(kAttributes));
    if (!world_.held_out(person, attribute)) return attribute;
  }
}

Example Facts::practice(Random& random, Language language) const {
  const int person = int(random.below(people().size()));
  const Attribute attribute = practice_attribute(random, person);
  return example(language, person, attribute, random.bits());
}

int64_t Facts::held_out_count() const { return int64_t(held_out_.size()) * kPhrasings * 2; }

Example Facts::held_out(int64_t index) const {
  require(index >= 0 && index < held_out_count(), "[facts] expected a held-out index below {}, got {}",
          held_out_count(), index);
  const int64_t pairs = int64_t(held_out_.size()), turn = index / 2;
  const Pair& pair = held_out_[size_t(turn % pairs)];
  // Every pair in both languages first, then the same pairs in other words.
  return example(index % 2 == 0 ? Language::english : Language::japanese, pair.person, pair.attribute,
                 uint64_t(turn + turn / pairs));
}

}  // namespace fude
