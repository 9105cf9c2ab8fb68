#include "tasks/task_json.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/nearest.h"

namespace fude {
namespace {

constexpr size_t kMostAnswers = 64, kMostWrong = 4096;
constexpr int64_t kHardest = 1000;

// A string, or a whole number as its digits.
std::string answer_text(const Json& value, std::string_view where) {
  require(value.is_string() || value.is_number_integer(),
          "[{}] expected a string or a whole number at 'answer', got {}", where, value.type_name());
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  require(!normalize_answer(text).empty(), "[{}] expected an answer, got a blank one", where);
  require(text.size() <= kLongestAnswer, "[{}] expected an answer of up to {} bytes, got {}", where, kLongestAnswer,
          text.size());
  return text;
}

std::vector<std::string> answers(const Json& object, std::string_view where) {
  const auto found = object.find("answer");
  require(found != object.end(), "[{}] expected the key 'answer', it is missing", where);
  if (!found->is_array()) return {answer_text(*found, where)};
  require(!found->empty() && found->size() <= kMostAnswers, "[{}] expected 1 to {} answers, got {}", where,
          kMostAnswers, found->size());
  std::vector<std::string> all;
  for (const Json& value : *found) all.push_back(answer_text(value, where));
  return all;
}

std::vector<std::string> wrong_words(const Json& object, std::string_view where) {
  std::vector<std::string> words;
  const auto found = object.find("wrong");
  if (found == object.end()) return words;
  require(found->is_array() && found->size() <= kMostWrong, "[{}] expected a list of up to {} strings at 'wrong'",
          where, kMostWrong);
  for (const Json& value : *found) {
    require(value.is_string() && !normalize_answer(value.get<std::string>()).empty(),
            "[{}] expected strings that are not blank at 'wrong', got {}", where, value.dump());
    words.push_back(value.get<std::string>());
  }
  return words;
}

}  // namespace

Json to_json(const Question& question) {
  Json object = {{"prompt", question.prompt}, {"answer", question.answer}};
  if (!question.also.empty()) {
    object["answer"] = Json::array({question.answer});
    for (const std::string& other : question.also) object["answer"].push_back(other);
  }
  if (!question.wrong.empty()) object["wrong"] = question.wrong;
  object.update({{"language", question.language}, {"kind", question.kind}, {"difficulty", question.difficulty}});
  if (!question.given.empty()) object["given"] = question.given;
  return object;
}

ReadExample read_example(const Json& object, std::string_view where) {
  require(object.is_object(), "[{}] expected a JSON object, got {}", where, object.type_name());
  const std::vector<std::string> known = {"prompt",     "answer", "wrong", "solution", "language",
                                          "difficulty", "kind",   "given", "held_out"};
  for (const auto& [key, value] : object.items())
    require(std::find(known.begin(), known.end(), key) != known.end(), "[{}] unknown key '{}'{}", where, key,
            did_you_mean(key, known));

  ReadExample read;
  Question& question = read.example.question;
  question.prompt = json_string(object, "prompt", where);
  require(!normalize_answer(question.prompt).empty(), "[{}] expected a prompt, got a blank one", where);
  question.also = answers(object, where);
  question.answer = question.also.front();
  question.also.erase(question.also.begin());
  question.wrong = wrong_words(object, where);
  question.kind = json_string(object, "kind", where, "");
  question.given = json_string(object, "given", where, "");
  question.language = json_string(object, "language", where, "en");
  require(question.language == "en" || question.language == "ja", "[{}] expected the language 'en' or 'ja', got '{}'",
          where, question.language);
  const int64_t difficulty = json_integer(object, "difficulty", where, 1);
  require(difficulty >= 1 && difficulty <= kHardest, "[{}] expected a difficulty from 1 to {}, got {}", where, kHardest,
          difficulty);
  question.difficulty = int(difficulty);
  read.example.solution = json_string(object, "solution", where, "");
  if (object.contains("held_out")) read.held_out = json_boolean(object, "held_out", where);
  return read;
}

}  // namespace fude
