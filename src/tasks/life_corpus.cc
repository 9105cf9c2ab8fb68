#include "tasks/life_corpus.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tasks/phrases.h"

namespace fude {
namespace {

// One stream per document: kind in the upper bits, number in the lower.
enum class Stream : uint64_t { mixture = 1, prose, fact_chat, sum_chat };
Random document_random(uint64_t seed, Stream stream, int64_t index) {
  require(index >= 0, "[life_corpus] expected a document number, got {}", index);
  return {seed, uint64_t(stream) << 56 | uint64_t(index)};
}

Language draw_language(Random& random) { return random.below(2) == 0 ? Language::english : Language::japanese; }

std::string_view pick(Random& random, const Patterns& patterns) { return patterns[random.below(patterns.size())]; }

// Sentences of one document, joined as the language does.
class Paragraph {
 public:
  explicit Paragraph(Language language) : between_(phrases(language).between) {}
  void add(const std::string& sentence) { text_ += (text_.empty() ? "" : between_) + sentence; }
  std::string take() { return std::move(text_); }

 private:
  std::string between_, text_;
};

void add_turns(Passage& document, std::string question, std::string answer) {
  document.segments.push_back({Role::user, std::move(question)});
  document.segments.push_back({Role::assistant, std::move(answer)});
}

}  // namespace

LifeCorpus::LifeCorpus(uint64_t seed) : seed_(seed), world_(seed), facts_(world_, seed), arithmetic_(seed) {}

Passage LifeCorpus::document(int64_t index) const {
  Random random = document_random(seed_, Stream::mixture, index);
  const uint64_t part = random.below(100);
  return part < 45 ? prose(random) : part < 70 ? fact_chat(random) : sum_chat(random);
}

Passage LifeCorpus::prose(int64_t index) const {
  Random random = document_random(seed_, Stream::prose, index);
  return prose(random);
}

Passage LifeCorpus::fact_chat(int64_t index) const {
  Random random = document_random(seed_, Stream::fact_chat, index);
  return fact_chat(random);
}

Passage LifeCorpus::sum_chat(int64_t index) const {
  Random random = document_random(seed_, Stream::sum_chat, index);
  return sum_chat(random);
}

Passage LifeCorpus::prose(Random& random) const {
  const Language language = draw_language(random);
  const uint64_t form = random.below(10);
  Passage document;
  document.segments.push_back({Role::none, form < 5   ? portrait(random, language)
                                           : form < 8 ? gathering(random, language)
                                                      : town(random, language)});
  return document;
}

// A fact in one of its forms; the form of the answer a little more often than the others.
std::string LifeCorpus::statement(Random& random, Language language, int person, Attribute attribute,
                                  bool known) const {
  const Patterns& forms = phrases(language).statements[size_t(attribute)];
  const std::string_view form = random.below(5) == 0 ? forms[0] : pick(random, forms);
  return say(language, form, people()[size_t(person)], world_.word(person, attribute), known);
}

// One person, up to all six facts; after the first sentence the name may give way to a pronoun.
std::string LifeCorpus::portrait(Random& random, Language language) const {
  Paragraph text(language);
  const int person = int(random.below(people().size()));
  bool known = false;
  if (random.below(3) == 0) {
    text.add(say(language, pick(random, phrases(language).openings), people()[size_t(person)], {}, false));
    known = language == Language::english;  // Japanese names its topic once more before dropping it
  }
  const auto order = shuffled(kToldAttributes, random);
  const size_t least = language == Language::english ? 3 : 5;  // Japanese sentences are short
  const size_t count = least + size_t(random.below(kToldAttributes + 1 - least));
  for (size_t i = 0; i < count; ++i) {
    text.add(statement(random, language, person, Attribute(order[i]), known && random.below(2) == 0));
    known = true;
  }
  return text.take();
}

// A handful of facts about whoever comes by.
std::string LifeCorpus::gathering(Random& random, Language language) const {
  Paragraph text(language);
  const auto guests = shuffled(int(people().size()), random);
  const size_t count = (language == Language::english ? 4 : 5) + size_t(random.below(3));
  for (size_t i = 0; i < count; ++i)
    text.add(statement(random, language, guests[i], Attribute(random.below(kToldAttributes)), false));
  return text.take();
}

// A town, what it lies near, and the people who live there.
std::string LifeCorpus::town(Random& random, Language language) const {
  Paragraph text(language);
  const auto towns = attribute_values(Attribute::town);
  const int town = int(random.below(towns.size()));
  const Word& place = attribute_values(Attribute::place)[size_t(world_.town_place(town))];
  text.add(say_town(language, pick(random, phrases(language).town_statements), towns[size_t(town)], place));
  const auto residents = world_.residents(town);
  const auto order = shuffled(int(residents.size()), random);
  for (size_t i = 0; i < order.size() && i < 3; ++i) {
    const int person = residents[size_t(order[i])];
    text.add(statement(random, language, person, Attribute::town, false));
    text.add(statement(random, language, person, Attribute(1 + random.below(kToldAttributes - 1)), true));
  }
  return text.take();
}

// What the assistant tells when asked about someone: only what it may also be asked for.
std::string LifeCorpus::account_of(Random& random, Language language, int person) const {
  Paragraph text(language);
  int told = 0;
  for (int a : shuffled(kToldAttributes, random)) {
    if (world_.held_out(person, Attribute(a)) || told == 3) continue;
    text.add(say(language, phrases(language).statements[size_t(a)][0], people()[size_t(person)],
                 world_.word(person, Attribute(a)), told > 0));
    ++told;
  }
  return text.take();
}

Passage LifeCorpus::fact_chat(Random& random) const {
  const Language language = draw_language(random);
  const Phrases& phrase = phrases(language);
  Passage document;
  const int turns = 2 + int(random.below(2));
  for (int turn = 0; turn < turns; ++turn) {
    const uint64_t form = random.below(10);
    if (form == 0) {
      const auto towns = attribute_values(Attribute::town);
      const size_t town = random.below(towns.size());
      const Word& place = attribute_values(Attribute::place)[size_t(world_.town_place(int(town)))];
      add_turns(document, say_town(language, pick(random, phrase.town_questions), towns[town], place),
                say_town(language, phrase.town_statements[0], towns[town], place));
    } else if (form == 1) {
      const int person = int(random.below(people().size()));
      add_turns(document, say(language, pick(random, phrase.requests), people()[size_t(person)], {}, false),
                account_of(random, language, person));
    } else {
      Example example = facts_.practice(random, language);
      add_turns(document, std::move(example.question.prompt), std::move(example.solution));
    }
  }
  if (random.below(6) == 0)
    add_turns(document, std::string(pick(random, phrase.thanks)), std::string(pick(random, phrase.welcomes)));
  return document;
}

// One or two sums asked and answered; one in six documents is a page of work without a chat.
Passage LifeCorpus::sum_chat(Random& random) const {
  const Language language = draw_language(random);
  Passage document;
  if (random.below(6) == 0) {
    Paragraph text(language);
    for (int i = 0; i < 2; ++i) text.add(worked_solution(arithmetic_.practice_sum(random), language));
    document.segments.push_back({Role::none, text.take()});
    return document;
  }
  const int turns = 1 + int(random.below(2));
  for (int turn = 0; turn < turns; ++turn) {
    Example example = arithmetic_.practice(random, language);
    add_turns(document, std::move(example.question.prompt), std::move(example.solution));
  }
  return document;
}

int64_t LifeCorpus::held_out_limit() const {
  return 2 * std::min(facts_.held_out_count(), arithmetic_.held_out_count());
}

std::vector<Question> LifeCorpus::held_out(int64_t count) const {
  require(count >= 0 && count <= held_out_limit(), "[life_corpus] expected at most {} held-out questions, got {}",
          held_out_limit(), count);
  std::vector<Question> questions;
  for (int64_t i = 0; i < count; ++i)
    questions.push_back((i % 2 == 0 ? arithmetic_.held_out(i / 2) : facts_.held_out(i / 2)).question);
  return questions;
}

}  // namespace fude
