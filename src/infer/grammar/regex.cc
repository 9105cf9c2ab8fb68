#include "infer/grammar/regex.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "infer/grammar/scanner.h"
#include "text/unicode.h"

namespace fude::grammar {
namespace {

const CharacterSet kDigits = {{'0', '9'}};
const CharacterSet kWordCharacters = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
// WhiteSpace and LineTerminator of ECMA-262.
const CharacterSet kWhiteSpace = {{9, 13},          {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                                  {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                  {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CharacterSet kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
const CharacterSet kAnyCharacter = {{0, kLastCodePoint}};
constexpr size_t kMostRanges = 1 << 17;  // of a class, as they are written

CharacterSet one_character(uint32_t code_point) { return {{code_point, code_point}}; }

// The characters of some classes, or all others. They are hundreds of ranges, which every state in front of them would
// list: compacted they are a few dozen.
struct Property {
  Property(CharClasses classes, bool is_inverse) {
    std::vector<CodePoints> ranges;
    for (uint32_t c = 0; c <= kLastCodePoint; ++c)
      if (((classes & bit(class_of(c))) != 0) != is_inverse) {
        if (!ranges.empty() && ranges.back().high + 1 == c)
          ranges.back().high = c;
        else
          ranges.push_back({c, c});
      }
    characters = CharacterSet(std::move(ranges));
    for (const Encoding encoding : {Encoding::plain, Encoding::json_string})
      encoded[size_t(encoding)] = from_automaton(compacted(*build_automaton(*one_of(characters, encoding), {})));
  }
  CharacterSet characters;
  std::array<ExpressionPtr, 2> encoded;  // by Encoding
};

// Made once in a process: a pattern may name one on every line.
const Property& property_of(CharClasses classes, bool is_inverse) {
  static std::mutex mutex;
  static std::map<std::pair<CharClasses, bool>, std::unique_ptr<const Property>> known;
  const std::lock_guard lock(mutex);
  std::unique_ptr<const Property>& property = known[{classes, is_inverse}];
  if (!property) property = std::make_unique<const Property>(classes, is_inverse);
  return *property;
}

class RegexParser final : Scanner {
 public:
  RegexParser(std::string_view pattern, Encoding encoding, const GrammarLimits& limits)
      : Scanner(pattern), encoding_(encoding), limits_(limits) {
    require(pattern.size() <= limits.source_bytes, "[regex] expected a pattern of at most {} bytes, got {}",
            limits.source_bytes, pattern.size());
    require(is_valid_utf8(pattern), "[regex] expected a pattern in UTF-8");
  }

  ExpressionPtr run() {
    ExpressionPtr whole = alternatives();
    if (!is_at_end()) fail_here("unexpected ')'");
    return whole;
  }

 private:
  std::string message_of(const std::string& what) const override {
    return fmt::format("[regex] {} at byte {} of '{}'", what, at_, text_);
  }

  ExpressionPtr alternatives() {
    std::vector<ExpressionPtr> parts;
    do parts.push_back(terms());
    while (take("|"));
    return choice(std::move(parts));
  }

  ExpressionPtr terms() {
    std::vector<ExpressionPtr> parts;
    while (!is_at_end() && !is('|') && !is(')')) parts.push_back(term());
    return sequence(std::move(parts));
  }

  ExpressionPtr term() {
    if (take("^")) return anchor(Expression::Kind::begin);
    if (take("$")) return anchor(Expression::Kind::end);
    if (take("(")) return quantified(group());
    if (take("[")) return quantified(encoded(character_class()));
    if (take(".")) return quantified(encoded(kLineEnds.inverse()));
    for (const bool is_inverse : {false, true})
      if (take(is_inverse ? "\\P" : "\\p")) return quantified(property(is_inverse).encoded[size_t(encoding_)]);
    if (take("\\")) return quantified(encoded(escape(false)));
    if (int32_t least, most; is('*') || is('+') || is('?') || bounds(least, most)) fail_here("nothing to repeat");
    return quantified(encoded(one_character(take_character())));
  }

  ExpressionPtr group() {
    if (take("?")) {
      if (is('=') || is('!') || text_.substr(at_).starts_with("<=") || text_.substr(at_).starts_with("<!"))
        fail_here("look-around is not supported");
      if (take("<")) {
        while (!is_at_end() && !is('>')) ++at_;
        if (!take(">")) fail_here("expected the end of a group's name");
      } else if (!take(":")) {
        fail_here("flags and this kind of group are not supported");
      }
    }
    if (++nesting_ > limits_.nesting) fail_here("groups are nested deeper than {}", limits_.nesting);
    ExpressionPtr inside = alternatives();
    if (!take(")")) fail_here("expected ')'");
    --nesting_;
    return inside;
  }

  ExpressionPtr quantified(ExpressionPtr part) {
    int32_t minimum = 1, maximum = 1;
    const size_t before = at_;
    if (take("*"))
      minimum = 0, maximum = kUnbounded;
    else if (take("+"))
      maximum = kUnbounded;
    else if (take("?"))
      minimum = 0;
    else if (!bounds(minimum, maximum))
      return part;
    take("?");  // lazy: the same texts
    if (is('+')) fail_here("possessive repetition is not supported");
    if (int32_t least, most; is('*') || is('?') || bounds(least, most)) fail_here("nothing to repeat");
    if (maximum != kUnbounded && maximum < minimum) {
      at_ = before;
      fail_here("the bounds of a repetition are out of order");
    }
    return repeat(std::move(part), minimum, maximum);
  }

  // {m}, {m,} or {m,n}; anything else leaves the brace to be a character, as browsers do.
  bool bounds(int32_t& minimum, int32_t& maximum) {
    const size_t before = at_;
    if (take("{") && take_count(minimum, limits_.automaton_states)) {
      maximum = minimum;
      if (take(",") && !take_count(maximum, limits_.automaton_states)) maximum = kUnbounded;
      if (take("}")) return true;
    }
    at_ = before;
    minimum = maximum = 1;
    return false;
  }

  // Behind the bracket that opens it.
  CharacterSet character_class() {
    const bool is_inverse = take("^");
    std::vector<CodePoints> ranges;
    while (!take("]")) {
      if (is_at_end()) fail_here("expected ']'");
      if (ranges.size() > kMostRanges) fail_here("a class of more than {} ranges", kMostRanges);
      const CharacterSet first = class_part();
      if (is('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        const CharacterSet last = class_part();
        if (!is_single(first) || !is_single(last)) {  // [\w-.]: the hyphen is one of the characters
          ranges.push_back({'-', '-'});
          for (const CharacterSet& part : {first, last})
            ranges.insert(ranges.end(), part.ranges().begin(), part.ranges().end());
          continue;
        }
        const uint32_t low = first.ranges()[0].low, high = last.ranges()[0].low;
        if (high < low) fail_here("a range's ends are out of order");
        ranges.push_back({low, high});
      } else {
        ranges.insert(ranges.end(), first.ranges().begin(), first.ranges().end());
      }
    }
    const CharacterSet set(std::move(ranges));
    return is_inverse ? set.inverse() : set;
  }
  static bool is_single(const CharacterSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].low == set.ranges()[0].high;
  }
  CharacterSet class_part() { return take("\\") ? escape(true) : one_character(take_character()); }

  // Behind the backslash.
  CharacterSet escape(bool in_class) {
    const uint32_t c = take_character();
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return kDigits.inverse();
      case 'w':
        return kWordCharacters;
      case 'W':
        return kWordCharacters.inverse();
      case 's':
        return kWhiteSpace;
      case 'S':
        return kWhiteSpace.inverse();
      case 'p':
      case 'P':
        return property(c == 'P').characters;
      case 't':
        return one_character('\t');
      case 'n':
        return one_character('\n');
      case 'r':
        return one_character('\r');
      case 'f':
        return one_character('\f');
      case 'v':
        return one_character('\v');
      case 'x':
        return one_character(take_hexadecimal(2));
      case 'u':
        return one_character(code_point());
      case 'c': {
        const uint32_t letter = take_character() | 32;
        if (letter < 'a' || letter > 'z') fail_here("expected a letter behind \\c");
        return one_character(letter & 31);
      }
      case 'b':
        if (in_class) return one_character('\b');
        [[fallthrough]];
      case 'B':
        fail_here("word boundaries (\\b, \\B) are not supported");
      case 'k':
        fail_here("back-references are not supported");
      case '0':
        if (!is_at_end() && text_[at_] >= '0' && text_[at_] <= '9') fail_here("octal escapes");
        return one_character(0);
      default:
        break;
    }
    if (c >= '1' && c <= '9') fail_here("back-references are not supported");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) fail_here("the escape \\{} is not supported", char(c));
    return one_character(c);
  }

  uint32_t code_point() {
    uint32_t value = 0;
    if (take("{")) {
      do {
        value = value * 16 + take_hexadecimal(1);
        if (value > kLastCodePoint) fail_here("expected a code point");
      } while (!take("}"));
    } else {
      value = take_hexadecimal(4);
      if (value >= 0xD800 && value < 0xDC00 && take("\\u")) {
        const uint32_t low = take_hexadecimal(4);
        if (low < 0xDC00 || low > 0xDFFF) fail_here("expected the second half of a surrogate pair");
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
      }
    }
    if (value >= 0xD800 && value <= 0xDFFF) fail_here("a lone surrogate is no character");
    return value;
  }

  const Property& property(bool is_inverse) {
    static const std::map<std::string_view, CharClasses> kNames = {{"L", kLetters},
                                                                   {"Letter", kLetters},
                                                                   {"Lu", bit(CharClass::upper)},
                                                                   {"Ll", bit(CharClass::lower)},
                                                                   {"Lt", bit(CharClass::title)},
                                                                   {"Lm", bit(CharClass::modifier)},
                                                                   {"Lo", bit(CharClass::letter)},
                                                                   {"M", kMarks},
                                                                   {"N", kNumbers}};
    if (!take("{")) fail_here("expected '{{' behind \\p");
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) fail_here("expected '}}'");
    const std::string_view name = text_.substr(at_, end - at_);
    const auto found = kNames.find(name);
    if (found == kNames.end()) fail_here("the property '{}' is not supported", name);
    at_ = end + 1;
    return property_of(found->second, is_inverse);
  }

  ExpressionPtr encoded(const CharacterSet& characters) { return sets_.one_of(characters); }

  Encoding encoding_;
  const GrammarLimits& limits_;
  CharacterExpressions sets_{encoding_, limits_};
  int nesting_ = 0;
};

}  // namespace

std::shared_ptr<const Automaton> compile_regex(std::string_view pattern, RegexMatch match, Encoding encoding,
                                               const CountedLimits& limits) {
  ExpressionPtr whole = RegexParser(pattern, encoding, limits).run();
  if (match == RegexMatch::search) {
    const ExpressionPtr anything = repeat(one_of(kAnyCharacter, encoding), 0, kUnbounded);
    whole = sequence({anything, whole, anything});
  }
  return build_automaton(*whole, limits);
}

Grammar regex_grammar(std::string_view pattern, const GrammarLimits& limits) {
  const CountedLimits counted(limits);
  GrammarBuilder builder(counted);
  const int32_t start = builder.add_rule();
  builder.define(start, from_automaton(compile_regex(pattern, RegexMatch::whole, Encoding::plain, counted)));
  return builder.compile(start);
}

}  // namespace fude::grammar
