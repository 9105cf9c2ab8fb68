// How the world is spoken of: sentence patterns in English and Japanese, and filling them in.
//
// A pattern holds names in braces. English: {Who} {who} {whom} {Whose} {whose} become the person's name or a
// pronoun; {he} {his} are always the pronoun; {value} and {a value} are the fact. Japanese: {は} is
// "ハナさんは", or nothing when the topic is already clear (as Japanese does); {名} and {の} always say the
// name; {値} is the fact. The first statement of each attribute is also the form of its answer.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"
#include "tasks/world.h"

namespace fude {

using Patterns = std::vector<std::string_view>;

struct Phrases {
  std::array<Patterns, kToldAttributes> statements;  // by Attribute
  std::array<Patterns, kAttributes> questions;
  Patterns town_statements;  // {town} or {町}, {place} or {地}
  Patterns town_questions;
  std::string_view place_answer;  // a person's place, worked out
  Patterns openings;              // of a portrait
  Patterns requests;              // "Tell me about …"
  Patterns thanks, welcomes;
  std::string_view between;  // what stands between two sentences
};

const Phrases& phrases(Language language);
const Phrases& english_phrases();
const Phrases& japanese_phrases();

std::string_view in_language(const Word& word, Language language);
std::string_view in_language(const Person& person, Language language);

// A pattern about a person; `known` lets the sentence say "she" or drop the topic.
std::string say(Language language, std::string_view pattern, const Person& person, const Word& value, bool known);
// A pattern about a town and what it lies near.
std::string say_town(Language language, std::string_view pattern, const Word& town, const Word& place);
// The worked answer where a person's town lies.
std::string say_place(Language language, const Person& person, const Word& town, const Word& place);

}  // namespace fude
