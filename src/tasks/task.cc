// The judge. Numbers: what follows "answer" / 答え counts, else what follows the last "=", else the only number of the
// text. Words: the right one must be named as a whole word, and no wrong one; where no wrong ones are known, it must be
// all that follows the marker, or all there is. Anything denied or hedged is refused.
#include "tasks/task.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace fude {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool starts_at(std::string_view text, size_t at, std::string_view piece) {
  return text.substr(at, piece.size()) == piece;
}

struct Replacement {
  std::string_view from, to;
};
constexpr Replacement kReplacements[] = {{"\u3000", " "}, {"\u00a0", " "},  {"\u2212", "-"}, {"\u2010", "-"},
                                         {"\u2011", "-"}, {"\u2012", "-"},  {"\u2013", "-"}, {"\u2018", "'"},
                                         {"\u2019", "'"}, {"\u201c", "\""}, {"\u201d", "\""}};

// A number as written: sign, digits (with "1,234"), and whether it is a whole number at all.
struct Number {
  size_t begin, end;
  std::string value;  // empty when it is not a whole number
};

// The number that starts at or after `from`.
std::optional<Number> next_number(std::string_view text, size_t from) {
  size_t i = from;
  while (i < text.size() && !is_digit(text[i])) ++i;
  if (i == text.size()) return std::nullopt;
  Number number{i, i, ""};
  // "-5" is negative when no operand stands before the sign: "12 - 5" and "12-5" are differences.
  size_t before = i;
  if (before > from && text[before - 1] == '-') {
    size_t operand = before - 1;
    while (operand > from && text[operand - 1] == ' ') --operand;
    if (operand == from || !is_digit(text[operand - 1])) {
      number.begin = before - 1;
      number.value = "-";
    }
  }
  bool whole = true;
  for (; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      number.value += text[i];
    } else if (text[i] == ',' && i + 3 < text.size() && is_digit(text[i + 1]) && is_digit(text[i + 2]) &&
               is_digit(text[i + 3]) && !(i + 4 < text.size() && is_digit(text[i + 4]))) {
      continue;
    } else if ((text[i] == '.' || text[i] == '/') && i + 1 < text.size() && is_digit(text[i + 1])) {
      whole = false;
    } else {
      break;
    }
  }
  if (i < text.size() && (is_letter(text[i]) || text[i] == '%')) whole = false;
  const size_t sign = number.value[0] == '-' ? 1 : 0;
  const size_t zeros = std::min(number.value.find_first_not_of('0', sign), number.value.size() - 1);
  number.value.erase(sign, zeros - sign);
  if (!whole) number.value.clear();
  number.end = i;
  return number;
}

// Whether the text denies or hedges. Looked for only where the answer is stated.
bool denies(std::string_view text) {
  for (std::string_view word : {"n't", "cannot", "ません", "ない", "なく", "違い", "ちがい"})
    if (text.find(word) != text.npos) return true;
  for (std::string_view word : {"not", "no", "never", "or", "neither", "nor", "except", "wrong", "false"})
    for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1))
      if ((at == 0 || !is_letter(text[at - 1])) &&
          (at + word.size() == text.size() || !is_letter(text[at + word.size()])))
        return true;
  return false;
}

// What may stand between a marker and the answer is left out.
std::string_view without_lead(std::string_view text) {
  for (bool moved = true; moved;) {
    moved = false;
    for (std::string_view lead : {" ", ":", "=", "*", "is ", "is:", "は", "、", "\"", "'", "「", "`", "$", "\\boxed{"})
      if (text.starts_with(lead)) text.remove_prefix(lead.size()), moved = true;
  }
  return text;
}

// Whether `text`, which begins right after a marker, states exactly `answer`: "is 42.", ": 42", "は42です。".
bool states(std::string_view text, std::string_view answer) {
  text = without_lead(text);
  const auto number = next_number(text, 0);
  if (!number || number->begin != 0 || number->value != answer) return false;
  const std::string_view rest = text.substr(number->end);
  return !next_number(rest, 0) && !denies(rest);
}

bool is_whole_number(std::string_view text) {
  if (starts_at(text, 0, "-")) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool verify_number(std::string_view text, std::string_view answer) {
  const auto marked = marked_parts(text);
  if (!marked.empty())
    return std::all_of(marked.begin(), marked.end(), [&](std::string_view part) { return states(part, answer); });
  if (const size_t last_equal = text.rfind('='); last_equal != text.npos)
    return states(text.substr(last_equal + 1), answer);
  const auto only = next_number(text, 0);
  return only && only->value == answer && !next_number(text, only->end) && !denies(text);
}

bool stands_alone(std::string_view text, std::string_view answer) {
  answer = bare_answer(answer);
  auto parts = marked_parts(text);
  if (parts.empty()) parts.push_back(text);
  return !answer.empty() &&
         std::all_of(parts.begin(), parts.end(), [&](std::string_view part) { return bare_answer(part) == answer; });
}

// Whether the phrase occurs as a whole: between non-letters if it is written in Latin letters, plural or not.
bool names(std::string_view text, std::string_view phrase) {
  const bool latin = !phrase.empty() && is_letter(phrase.front());
  if (latin && phrase.size() > 3 && phrase.back() == 's') phrase.remove_suffix(1);
  for (size_t at = text.find(phrase); at != text.npos; at = text.find(phrase, at + 1)) {
    if (!latin) return true;
    size_t end = at + phrase.size();
    if (end < text.size() && text[end] == 's') ++end;
    if ((at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]))) return true;
  }
  return false;
}

bool is_right(const Question& question, std::string_view text, const std::string& answer) {
  const std::string right = normalize_answer(answer);
  if (is_whole_number(right)) return verify_number(text, next_number(right, 0)->value);
  if (question.wrong.empty()) return stands_alone(text, right);
  if (!names(text, right) || denies(text)) return false;
  return std::none_of(question.wrong.begin(), question.wrong.end(),
                      [&](const std::string& wrong) { return names(text, normalize_answer(wrong)); });
}

}  // namespace

std::string_view language_code(Language language) { return language == Language::english ? "en" : "ja"; }

std::vector<std::string_view> marked_parts(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t i = 0; i < text.size(); ++i)
    for (std::string_view marker : {"answer", "答え"}) {
      if (!starts_at(text, i, marker)) continue;
      if (!parts.empty()) {
        std::string_view& before = parts.back();
        before.remove_suffix(text.size() - i);
        if (before.ends_with(" the ")) before.remove_suffix(5);
      }
      parts.push_back(text.substr(i + marker.size()));
    }
  return parts;
}

std::string_view bare_answer(std::string_view text) {
  text = without_lead(text);
  for (bool moved = true; moved;) {
    moved = false;
    for (std::string_view tail : {" ", ".", "!", "*", "。", "です", "\"", "'", "」", "`", "$", "}"})
      if (text.ends_with(tail)) text.remove_suffix(tail.size()), moved = true;
  }
  return text;
}

Example practice_at(const Task& task, uint64_t seed, uint64_t stream, uint64_t number) {
  const auto x = philox(seed, stream, number);  // a stream of its own, with as many draws as the example needs
  Random random{seed, uint64_t(x[1]) << 32 | x[0]};
  const auto languages = task.languages();
  require(!languages.empty(), "[{}] expected practice questions, all of them are held out", task.name());
  return task.practice(random, languages[number % languages.size()]);
}

bool Task::verify(const Question& question, std::string_view model_answer) const {
  return fude::verify(question, model_answer);
}

std::string normalize_answer(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    std::string piece(1, text[i]);
    size_t length = 1;
    for (const auto& [from, to] : kReplacements)
      if (starts_at(text, i, from)) piece = to, length = from.size();
    if (i + 2 < text.size() && uint8_t(text[i]) == 0xEF) {  // U+FF01 … U+FF5E: ASCII at full width
      const unsigned code = 0xF000u | (uint8_t(text[i + 1]) & 0x3Fu) << 6 | (uint8_t(text[i + 2]) & 0x3Fu);
      if (code >= 0xFF01 && code <= 0xFF5E) piece = std::string(1, char(code - 0xFF00 + 0x20)), length = 3;
    }
    i += length;
    for (char c : piece) {
      if (c == '\t' || c == '\n' || c == '\r') c = ' ';
      if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
      if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
      result += c;
    }
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

std::string committed_answer(std::string_view model_answer) {
  if (model_answer.size() > kLongestAnswer) model_answer.remove_prefix(model_answer.size() - kLongestAnswer);
  const std::string text = normalize_answer(model_answer);
  if (const auto marked = marked_parts(text); !marked.empty()) {
    const std::string_view part = bare_answer(marked.back());
    const auto number = next_number(part, 0);
    return number && number->begin == 0 && !number->value.empty() ? number->value : std::string(part);
  }
  const size_t last_equal = text.rfind('=');
  std::string last;
  for (auto number = next_number(text, last_equal == text.npos ? 0 : last_equal); number;
       number = next_number(text, number->end))
    if (!number->value.empty()) last = number->value;
  return last.empty() ? std::string(bare_answer(text)) : last;
}

bool verify(const Question& question, std::string_view model_answer) {
  require(!question.answer.empty(), "[verify] expected a question with an answer, got none for '{}'", question.prompt);
  if (model_answer.size() > kLongestAnswer) return false;
  const std::string text = normalize_answer(model_answer);
  return is_right(question, text, question.answer) ||
         std::any_of(question.also.begin(), question.also.end(),
                     [&](const std::string& other) { return is_right(question, text, other); });
}

}  // namespace fude
