#include "tasks/letters.h"

#include <algorithm>
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

std::string real_word(Random& random, Language language, int length) {
  const auto pick = [&](const auto& words) {
    std::vector<std::string_view> fitting;
    for (std::string_view word : words)
      if (letters_of(word).size() == size_t(length)) fitting.push_back(word);
    return fitting.empty() ? std::string() : std::string(fitting[random.below(fitting.size())]);
  };
  return language == Language::english ? pick(kEnglishWords) : pick(kJapaneseWords);
}

// Letters come back more often than in real words: there is something to count.
std::string made_up_word(Random& random, Language language, int length) {
  static const auto kana = letters_of(kKana);
  std::vector<std::string_view> letters;
  bool is_vowel = random.below(2) == 0;
  for (int i = 0; i < length; ++i, is_vowel = !is_vowel) {
    if (i > 1 && random.below(4) == 0) {
      letters.push_back(letters[random.below(letters.size())]);
      continue;
    }
    const std::string_view of = is_vowel ? kVowels : kConsonants;
    letters.push_back(language == Language::japanese
                          ? kana[random.below(kana.size() - (i == 0 ? 1 : 0))]  // no ん first
                          : of.substr(random.below(of.size()), 1));
  }
  std::string word;
  for (std::string_view letter : letters) word += letter;
  return word;
}

std::string absent_letter(Random& random, Language language, const std::string& word) {
  static const auto kana = letters_of(kKana), latin = letters_of("abcdefghijklmnopqrstuvwxyz");
  const auto& all = language == Language::japanese ? kana : latin;
  for (;;) {
    const std::string_view letter = all[random.below(all.size())];
    if (word.find(letter) == word.npos) return std::string(letter);
  }
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
  std::string word = random.below(2) == 0 ? real_word(random, language, difficulty) : "";
  const bool is_real = !word.empty();
  if (!is_real) word = made_up_word(random, language, difficulty);
  const auto letters = letters_of(word);
  // One in five asks for a letter that is not there; the others for one of the word, so often a repeated one.
  const std::string letter =
      random.below(5) == 0 ? absent_letter(random, language, word) : std::string(letters[random.below(letters.size())]);
  Draft drawn{word + " " + letter, letters_example(word, letter, language, random.bits() >> 1)};
  drawn.example.question.kind = is_real ? "word" : "made-up word";
  return drawn;
}

}  // namespace fude
