// Filling in patterns: one pass over the text, each {key} answered by a function.
#include "tasks/phrases.h"

#include "base/error.h"

namespace fude {
namespace {

template <class Lookup>
std::string fill_in(std::string_view pattern, const Lookup& lookup) {
  std::string text;
  for (size_t i = 0; i < pattern.size();) {
    if (pattern[i] != '{') {
      text += pattern[i++];
      continue;
    }
    const size_t close = pattern.find('}', i);
    require(close != pattern.npos, "[phrases] expected a closing brace in '{}'", pattern);
    text += lookup(pattern.substr(i + 1, close - i - 1));
    i = close + 1;
  }
  return text;
}

std::string with_article(const Word& word) { return std::string(word.article) + " " + std::string(word.english); }

std::string english_key(std::string_view key, const Person& person, const Word& value, bool known) {
  const bool she = person.female;
  std::string name(person.english);
  if (key == "name") return name;
  if (key == "value") return std::string(value.english);
  if (key == "a value") return with_article(value);
  if (key == "he") return she ? "she" : "he";
  if (key == "his") return she ? "her" : "his";
  if (key == "Who") return !known ? name : she ? "She" : "He";
  if (key == "who") return !known ? name : she ? "she" : "he";
  if (key == "whom") return !known ? name : she ? "her" : "him";
  if (key == "Whose") return !known ? name + "'s" : she ? "Her" : "His";
  if (key == "whose") return !known ? name + "'s" : she ? "her" : "his";
  fail("[phrases] expected a name in braces that English patterns know, got '{}'", key);
}

std::string japanese_key(std::string_view key, const Person& person, const Word& value, bool known) {
  std::string name = std::string(person.japanese) + "さん";
  if (key == "名") return name;
  if (key == "値") return std::string(value.japanese);
  if (key == "は") return known ? "" : name + "は";
  if (key == "の") return name + "の";
  fail("[phrases] expected a name in braces that Japanese patterns know, got '{}'", key);
}

}  // namespace

const Phrases& phrases(Language language) {
  return language == Language::english ? english_phrases() : japanese_phrases();
}

std::string_view in_language(const Word& word, Language language) {
  return language == Language::english ? word.english : word.japanese;
}

std::string_view in_language(const Person& person, Language language) {
  return language == Language::english ? person.english : person.japanese;
}

std::string say(Language language, std::string_view pattern, const Person& person, const Word& value, bool known) {
  return fill_in(pattern, [&](std::string_view key) {
    return language == Language::english ? english_key(key, person, value, known)
                                         : japanese_key(key, person, value, known);
  });
}

std::string say_town(Language language, std::string_view pattern, const Word& town, const Word& place) {
  return fill_in(pattern, [&](std::string_view key) -> std::string_view {
    if (key == "town" || key == "町") return in_language(town, language);
    if (key == "place" || key == "地") return in_language(place, language);
    fail("[phrases] expected town or place in braces, got '{}'", key);
  });
}

std::string say_place(Language language, const Person& person, const Word& town, const Word& place) {
  return fill_in(phrases(language).place_answer, [&](std::string_view key) -> std::string_view {
    if (key == "name" || key == "名") return in_language(person, language);
    if (key == "town" || key == "町") return in_language(town, language);
    return in_language(place, language);
  });
}

}  // namespace fude
