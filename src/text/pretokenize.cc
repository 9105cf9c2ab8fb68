#include "text/pretokenize.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2Tiktoken =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)";
constexpr std::string_view kGpt2Brackets =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// tiktoken's cl100k keeps white space at the end of the text whole, newlines or not. Oniguruma reads $ as the
// end of a line and {1,3}+ as a repeated group, so the spelling for Hugging Face files avoids both.
constexpr std::string_view kCl100k =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kCl100kTiktoken =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], [\p{Ll}\p{Lm}\p{Lo}\p{M}] and what they share.
constexpr CharClasses kCaseless = bit(CharClass::modifier) | bit(CharClass::letter) | kMarks;
constexpr CharClasses kHead = bit(CharClass::upper) | bit(CharClass::title) | kCaseless;
constexpr CharClasses kTail = bit(CharClass::lower) | kCaseless;
// [^\s\p{L}\p{N}]
constexpr CharClasses kSymbols = ~(kSpaces | kLetters | kNumbers);

const std::array<uint8_t, 128> kAsciiClass = [] {
  std::array<uint8_t, 128> table{};
  for (uint32_t c = 0; c < 128; ++c) table[c] = uint8_t(class_of(c));
  return table;
}();

// A character's class bit and length.
struct Seen {
  CharClasses is;
  uint32_t length;
};

// The text with the questions that patterns ask of it.
struct Scan {
  std::string_view text;

  Seen at(size_t i) const {
    const uint8_t byte = uint8_t(text[i]);
    if (byte < 128) [[likely]]
      return {CharClasses(1) << kAsciiClass[byte], 1};
    const Character c = decode_character(text, i);
    return {bit(class_of(c.code_point)), c.length};
  }
  bool end(size_t i) const { return i >= text.size(); }
  bool is_newline(size_t i) const { return !end(i) && (text[i] == '\n' || text[i] == '\r'); }

  // End of the longest run of characters in `classes` from i.
  size_t run(size_t i, CharClasses classes) const {
    while (!end(i)) {
      const Seen c = at(i);
      if (!(c.is & classes)) break;
      i += c.length;
    }
    return i;
  }

  // End of the run of at most so many numbers from i.
  size_t numbers(size_t i, int at_most) const {
    for (; at_most > 0 && !end(i); --at_most) {
      const Seen c = at(i);
      if (!(c.is & kNumbers)) break;
      i += c.length;
    }
    return i;
  }

  // End of 's 't 're 've 'm 'll 'd at i, or i. Without case, ſ (U+017F) is an s, as regular expressions fold it.
  size_t contraction(size_t i, bool any_case) const {
    if (i + 1 >= text.size() || text[i] != '\'') return i;
    const auto letter = [&](size_t j) {
      if (end(j)) return '\0';
      return any_case && text[j] >= 'A' && text[j] <= 'Z' ? char(text[j] + 32) : text[j];
    };
    const char first = letter(i + 1), second = letter(i + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return i + 2;
    if ((first == 'r' || first == 'v') && second == 'e') return i + 3;
    if (first == 'l' && second == 'l') return i + 3;
    if (any_case && text.substr(i + 1, 2) == "\xC5\xBF") return i + 3;
    return i;
  }

  // \s+(?!\S)|\s+ with a run of white space at i: all of it at the end of the text, else all but its last
  // character unless it is the only one. With `newlines`, \s*[\r\n]+ goes first: up to the last newline of
  // the run; with `whole_end`, \s+\z even before that.
  size_t white_space(size_t i, bool newlines, bool whole_end = false) const {
    size_t last = i, stop = i, after_newline = i;
    while (!end(stop)) {
      const Seen c = at(stop);
      if (!(c.is & kSpaces)) break;
      last = stop;
      stop += c.length;
      if (is_newline(last)) after_newline = stop;
    }
    if (whole_end && end(stop)) return stop;
    if (newlines && after_newline > i) return after_newline;
    return end(stop) || last == i ? stop : last;
  }

  // ` ?[^\s\p{L}\p{N}]+` at i, or i.
  size_t symbols(size_t i) const {
    const size_t begin = i + (text[i] == ' ');
    const size_t stop = run(begin, kSymbols);
    return stop > begin ? stop : i;
  }
};

class Gpt2Splitter : public Splitter {
 public:
  void split(std::string_view text, std::vector<size_t>& ends) const override {
    const Scan scan{text};
    for (size_t i = 0; i < text.size();) ends.push_back(i = next(scan, i));
  }

 private:
  static size_t next(const Scan& scan, size_t i) {
    if (const size_t stop = scan.contraction(i, false); stop > i) return stop;
    const size_t begin = i + (scan.text[i] == ' ');
    if (!scan.end(begin)) {
      const Seen first = scan.at(begin);
      for (const CharClasses classes : {kLetters, kNumbers, kSymbols})
        if (first.is & classes) return scan.run(begin + first.length, classes);
    }
    return scan.white_space(i, false);
  }
};

// Qwen2, Llama 3 and cl100k: they differ in how many digits a piece holds and in white space at the end of the text.
class Qwen2Splitter : public Splitter {
 public:
  explicit Qwen2Splitter(int digits, bool whole_end = false) : digits_(digits), whole_end_(whole_end) {}
  void split(std::string_view text, std::vector<size_t>& ends) const override {
    const Scan scan{text};
    for (size_t i = 0; i < text.size();) ends.push_back(i = next(scan, i));
  }

 private:
  size_t next(const Scan& scan, size_t i) const {
    if (const size_t stop = scan.contraction(i, true); stop > i) return stop;
    const Seen first = scan.at(i);
    if (first.is & kLetters) return scan.run(i + first.length, kLetters);
    if (first.is & kNumbers) return scan.numbers(i, digits_);
    if (!scan.is_newline(i)) {
      const size_t begin = i + first.length, stop = scan.run(begin, kLetters);
      if (stop > begin) return stop;
    }
    if (size_t stop = scan.symbols(i); stop > i) {
      while (scan.is_newline(stop)) ++stop;
      return stop;
    }
    return scan.white_space(i, true, whole_end_);
  }
  int digits_;
  bool whole_end_;
};

class O200kSplitter : public Splitter {
 public:
  void split(std::string_view text, std::vector<size_t>& ends) const override {
    const Scan scan{text};
    for (size_t i = 0; i < text.size();) ends.push_back(i = next(scan, i));
  }

 private:
  // A word without its prefix character: Head*Tail+ at i, or i if there is none. `head` gets the end of
  // Head*. The last character of Tail+ is a lower-case letter if one follows Head*; otherwise Head* gives
  // back characters until one of them is caseless.
  static size_t mixed_word(const Scan& scan, size_t i, size_t& head) {
    size_t after_caseless = i;
    for (head = i; !scan.end(head);) {
      const Seen c = scan.at(head);
      if (!(c.is & kHead)) {
        if (c.is & kTail) return scan.run(head + c.length, kTail);
        break;
      }
      head += c.length;
      if (c.is & kCaseless) after_caseless = head;
    }
    return after_caseless;
  }

  // Both word alternatives at i, or i. The prefix character is tried first, and given up for the first
  // alternative before the second is tried at all, as a backtracking engine does.
  static size_t word(const Scan& scan, size_t i) {
    const Seen first = scan.at(i);
    const bool can_be_prefix = !(first.is & (kLetters | kNumbers)) && !scan.is_newline(i);
    const size_t begin = can_be_prefix ? i + first.length : i;
    size_t head = begin;
    size_t stop = mixed_word(scan, begin, head);
    if (stop > begin) return scan.contraction(stop, true);
    if (first.is & kMarks) {
      size_t unused;
      return scan.contraction(mixed_word(scan, i, unused), true);
    }
    return head > begin ? scan.contraction(head, true) : i;
  }

  static size_t next(const Scan& scan, size_t i) {
    if (const size_t stop = word(scan, i); stop > i) return stop;
    if (scan.at(i).is & kNumbers) return scan.numbers(i, 3);
    if (size_t stop = scan.symbols(i); stop > i) {
      while (scan.is_newline(stop) || (!scan.end(stop) && scan.text[stop] == '/')) ++stop;
      return stop;
    }
    return scan.white_space(i, true);
  }
};

// Hugging Face's Digits: numbers apart from the rest, each digit alone or in runs.
class DigitSplitter : public Splitter {
 public:
  explicit DigitSplitter(bool each) : each_(each) {}
  void split(std::string_view text, std::vector<size_t>& ends) const override {
    const Scan scan{text};
    for (size_t i = 0; i < text.size(); ends.push_back(i)) {
      const Seen first = scan.at(i);
      const bool number = first.is & kNumbers;
      i += first.length;
      if (!number || !each_) i = scan.run(i, number ? kNumbers : ~kNumbers);
    }
  }

 private:
  bool each_;
};

class LiteralSplitter : public Splitter {
 public:
  LiteralSplitter(std::string literal, bool before) : literal_(std::move(literal)), before_(before) {
    require(!literal_.empty(), "[pretokenize] expected a text to cut at, got an empty one");
  }
  void split(std::string_view text, std::vector<size_t>& ends) const override {
    for (size_t at = 0; (at = text.find(literal_, at)) != text.npos; at += literal_.size()) {
      const size_t cut = before_ ? at : at + literal_.size();
      if (cut > 0 && cut < text.size()) ends.push_back(cut);
    }
    if (!text.empty()) ends.push_back(text.size());
  }

 private:
  std::string literal_;
  bool before_;
};

// The known patterns in all their spellings; the first is the canonical one.
struct KnownPattern {
  std::string_view name;
  std::vector<std::string_view> spellings;
  std::unique_ptr<Splitter> (*make)();
};
const KnownPattern kKnownPatterns[] = {
    {"gpt2",
     {kGpt2, kGpt2Tiktoken, kGpt2Brackets},
     []() -> std::unique_ptr<Splitter> { return std::make_unique<Gpt2Splitter>(); }},
    {"cl100k",
     {kCl100k, kCl100kTiktoken},
     []() -> std::unique_ptr<Splitter> { return std::make_unique<Qwen2Splitter>(3, true); }},
    {"llama3", {kLlama3}, []() -> std::unique_ptr<Splitter> { return std::make_unique<Qwen2Splitter>(3); }},
    {"qwen2", {kQwen2}, []() -> std::unique_ptr<Splitter> { return std::make_unique<Qwen2Splitter>(1); }},
    {"o200k", {kO200k}, []() -> std::unique_ptr<Splitter> { return std::make_unique<O200kSplitter>(); }},
};

bool is_ascii_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

const KnownPattern* known(std::string_view pattern) {
  for (const KnownPattern& candidate : kKnownPatterns)
    for (const std::string_view spelling : candidate.spellings)
      if (spelling == pattern) return &candidate;
  return nullptr;
}

}  // namespace

bool is_pattern_name(std::string_view name) {
  return std::any_of(std::begin(kKnownPatterns), std::end(kKnownPatterns),
                     [&](const auto& k) { return k.name == name; });
}

std::string_view named_pattern(std::string_view name) {
  for (const KnownPattern& candidate : kKnownPatterns)
    if (candidate.name == name) return candidate.spellings[0];
  fail("[pretokenize] expected a pattern name among gpt2, cl100k, llama3, qwen2 and o200k, got '{}'", name);
}

std::string canonical_pattern(std::string_view pattern) {
  const KnownPattern* found = known(pattern);
  return std::string(found == nullptr ? pattern : found->spellings[0]);
}

std::string pattern_called(std::string_view name_or_pattern) {
  if (is_pattern_name(name_or_pattern)) return std::string(named_pattern(name_or_pattern));
  require(!std::all_of(name_or_pattern.begin(), name_or_pattern.end(), is_ascii_letter_or_digit),
          "[pretokenize] expected gpt2, cl100k, llama3, qwen2, o200k or a regular expression, got '{}'",
          name_or_pattern);
  return canonical_pattern(name_or_pattern);
}

std::string literal_pattern(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (!is_ascii_letter_or_digit(c) && uint8_t(c) < 128) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::unique_ptr<Splitter> make_known_splitter(std::string_view pattern) {
  const KnownPattern* found = known(pattern);
  return found == nullptr ? nullptr : found->make();
}

void Splitter::refine(std::string_view text, const std::vector<size_t>& coarse, std::vector<size_t>& fine) const {
  std::vector<size_t> local;
  size_t begin = 0;
  for (const size_t stop : coarse) {
    local.clear();
    split(text.substr(begin, stop - begin), local);
    for (const size_t end : local) fine.push_back(begin + end);
    begin = stop;
  }
}

PreTokenizer::PreTokenizer(const std::vector<SplitStep>& steps) {
  for (const SplitStep& step : steps) {
    std::unique_ptr<Splitter> splitter;
    if (step.kind == SplitStep::Kind::pattern) {
      splitter = make_known_splitter(step.pattern);
      if (!splitter) splitter = make_regex_splitter(step.pattern);
    } else if (step.kind == SplitStep::Kind::before_text || step.kind == SplitStep::Kind::after_text) {
      splitter = std::make_unique<LiteralSplitter>(step.pattern, step.kind == SplitStep::Kind::before_text);
    } else {
      splitter = std::make_unique<DigitSplitter>(step.kind == SplitStep::Kind::each_digit);
    }
    splitters_.push_back(std::move(splitter));
  }
}

void PreTokenizer::split(std::string_view text, std::vector<size_t>& ends) const {
  if (text.empty()) return;
  if (splitters_.empty()) return ends.push_back(text.size());
  if (splitters_.size() == 1) return splitters_[0]->split(text, ends);
  std::vector<size_t> coarse = {text.size()}, fine;
  for (const auto& splitter : splitters_) {
    fine.clear();
    splitter->refine(text, coarse, fine);
    std::swap(coarse, fine);
  }
  ends.insert(ends.end(), coarse.begin(), coarse.end());
}

}  // namespace fude
