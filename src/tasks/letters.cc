#include "tasks/letters.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr DifficultyRange kWordLengths{3, 12};

constexpr std::string_view kEnglishWords[] = {
    "egg",          "bee",          "all",          "tree",         "moon",         "book",         "noon",
    "apple",        "sleep",        "daddy",        "puppy",        "seven",        "banana",       "rabbit",
    "cheese",       "letter",       "bottle",       "coffee",       "pepper",       "window",       "balloon",
    "giraffe",      "village",      "kitchen",      "success",      "balcony",      "elephant",     "umbrella",
    "blizzard",     "football",     "notebook",     "dinosaur",     "raspberry",    "blueberry",    "butterfly",
    "chocolate",    "crocodile",    "pineapple",    "strawberry",   "basketball",   "restaurant",   "toothbrush",
    "wheelbarrow",  "possessions",  "cooperation",  "grasshopper",  "temperature",  "blackberries", "bookkeepers",
    "refrigerator", "intelligence", "kindergarten", "mathematical", "hippopotamus", "strawberries"};
constexpr std::string_view kJapaneseWords[] = {"みみず",         "すすき",         "いるか",
                                               "ここあ",         "たたみ",         "ささのは",
                                               "きつつき",       "たけのこ",       "ひまわり",
                                               "にわとり",       "くだもの",       "やまのぼり",
                                               "ももたろう",     "かたつむり",     "さくらんぼ",
                                               "たんぽぽ",       "かたたたき",     "ほととぎす",
                                               "おにごっこ",     "てるてるぼうず", "みずたまり",
                                               "なつやすみ",     "すべりだい",     "あかとんぼ",
                                               "ちちんぷいぷい", "とうもろこし",   "しゃぼんだま",
                                               "かきごおり",     "たなばたまつり", "おとしだま",
                                               "ゆきだるま",     "ちゃわんむし",   "おおみそか",
                                               "かくれんぼ",     "ほうれんそう",   "いろえんぴつ",
                                               "ぶんぼうぐや",   "うみのいきもの", "なつのだいさんかく",
                                               "ひこうきぐも",   "なわとび",       "きんもくせい"};
// What made-up words are made of.
constexpr std::string_view kConsonants = "bcdfghjklmnprstvwyz", kVowels = "aeiou";
constexpr std::string_view kKana =
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわがぎぐげござじずぜぞだでど"
    "ば"
    "びぶべぼん";

std::vector<std::string_view> letters_of(std::string_view word) {
  std::vector<std::string_view> letters;
  for (size_t i = 0; i < word.size();) {
    const size_t length = decode_character(word, i).length;
    letters.push_back(word.substr(i, length));
    i += length;
  }
  return letters;
}

struct WordAndLetter {
  std::string word, letter;
};

std::string_view random_letter(Random& random, std::span<const std::string_view> all) {
  return all[random.below(all.size())];
}
std::span<const std::string_view> alphabet(Language language) {
  static const auto kana = letters_of(kKana), latin = letters_of("abcdefghijklmnopqrstuvwxyz");
  return language == Language::japanese ? kana : latin;
}

// Nothing where hardly any real word has a letter that often: it would be learned by heart.
std::optional<WordAndLetter> real_word(Random& random, Language language, int length, int count) {
  constexpr size_t kFew = 3;
  std::vector<WordAndLetter> fitting;
  const auto look_at = [&](std::string_view word) {
    const auto letters = letters_of(word);
    if (letters.size() != size_t(length)) return;
    for (std::string_view letter : alphabet(language))
      if (std::ranges::count(letters, letter) == count) fitting.push_back({std::string(word), std::string(letter)});
  };
  if (language == Language::english)
    for (std::string_view word : kEnglishWords) look_at(word);
  else
    for (std::string_view word : kJapaneseWords) look_at(word);
  if (fitting.size() < kFew) return {};
  return fitting[random.below(fitting.size())];
}

WordAndLetter made_up_word(Random& random, Language language, int length, int count) {
  const bool is_kana = language == Language::japanese;
  // Without ん, which no word begins with.
  const auto all = alphabet(language).first(alphabet(language).size() - (is_kana ? 1 : 0));
  const std::string_view letter = random_letter(random, all);
  std::vector<std::string_view> letters;
  bool is_vowel = random.below(2) == 0;
  while (letters.size() < size_t(length)) {
    const std::string_view of = is_vowel ? kVowels : kConsonants;
    const bool comes_back = !letters.empty() && random.below(4) == 0;
    const std::string_view next = comes_back ? random_letter(random, letters)
                                  : is_kana  ? random_letter(random, all)
                                             : of.substr(random.below(of.size()), 1);
    if (next == letter) continue;
    letters.push_back(next), is_vowel = !is_vowel;
  }
  // The first of `places`, shuffled, become the letter.
  std::vector<size_t> places(letters.size());
  std::iota(places.begin(), places.end(), size_t(0));
  for (int i = 0; i < count; ++i) {
    std::swap(places[size_t(i)], places[size_t(i) + random.below(places.size() - size_t(i))]);
    letters[places[size_t(i)]] = letter;
  }
  std::string word;
  for (std::string_view each : letters) word += each;
  return {word, std::string(letter)};
}

constexpr std::string_view kLetterQuestions[] = {
    "How many times does the letter {1} occur in {0}?", "How often does the letter {1} appear in the word {0}?",
    "Count the letter \"{1}\" in \"{0}\".", "How many letters {1} are there in {0}?"};
constexpr std::string_view kKanaQuestions[] = {
    "「{0}」に「{1}」は何回出てきますか。", "「{0}」という言葉に「{1}」はいくつありますか。",
    "「{0}」の中の「{1}」を数えてください。", "「{0}」には「{1}」がいくつ含まれていますか。"};

}  // namespace

Example letters_example(std::string_view word, std::string_view letter, Language language, uint64_t variant) {
  const bool is_english = language == Language::english;
  std::string spelled;
  int count = 0;
  for (std::string_view each : letters_of(word)) {
    count += each == letter ? 1 : 0;
    spelled += fmt::format("{}{}{}{}",
                           spelled.empty() ? ""
                           : is_english    ? ", "
                                           : "、",
                           each, is_english ? " " : "", count);
  }
  const std::string_view pattern =
      (is_english ? kLetterQuestions : kKanaQuestions)[variant % std::size(kKanaQuestions)];
  return {.question = {.prompt = fmt::format(fmt::runtime(pattern), word, letter),
                       .answer = std::to_string(count),
                       .kind = "letters",
                       .language = std::string(language_code(language))},
          .solution =
              fmt::format(fmt::runtime(is_english ? "{}. The answer is {}." : "{}。答えは{}です。"), spelled, count)};
}

Letters::Letters(uint64_t seed, const TaskOptions& options) : GeneratedTask("letters", seed, kWordLengths, options) {}

Draft Letters::draft(Random& random, Language language, int difficulty) const {
  const int count = int(random.below(uint64_t(difficulty + 1) / 2 + 1));
  std::optional<WordAndLetter> real;
  if (random.below(2) == 0) real = real_word(random, language, difficulty, count);
  const bool is_real = real.has_value();
  const auto [word, letter] = is_real ? *real : made_up_word(random, language, difficulty, count);
  Draft drawn{word + " " + letter, letters_example(word, letter, language, random.bits() >> 1)};
  drawn.example.question.kind = is_real ? "word" : "made-up word";
  return drawn;
}

}  // namespace fude
