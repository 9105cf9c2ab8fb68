#include "infer/grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"
#include "infer/grammar/characters.h"
#include "infer/grammar/scanner.h"
#include "text/unicode.h"

namespace fude::grammar {
namespace {

bool is_rule_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser final : Scanner {
 public:
  GbnfParser(std::string_view source, const GrammarLimits& limits)
      : Scanner(source), limits_(limits), builder_(limits) {
    require(source.size() <= limits.source_bytes, "[gbnf] expected a grammar of at most {} bytes, got {}",
            limits.source_bytes, source.size());
    require(is_valid_utf8(source), "[gbnf] expected a grammar in UTF-8");
  }

  Grammar run() {
    skip_space(true);
    while (!is_at_end()) define_rule();
    for (const auto& [name, rule] : rules_)
      if (!rule.is_defined) fail("[gbnf:{}] there is no rule '{}'", line_of(rule.at), name);
    const auto root = rules_.find("root");
    require(root != rules_.end(), "[gbnf] expected a rule 'root'");
    return builder_.compile(root->second.number);
  }

 private:
  struct Rule {
    int32_t number;
    size_t at;  // behind where it is named first
    bool is_defined = false;
  };

  int64_t line_of(size_t at) const { return 1 + std::count(text_.begin(), text_.begin() + ptrdiff_t(at), '\n'); }
  std::string message_of(const std::string& what) const override {
    return fmt::format("[gbnf:{}] {}", line_of(at_), what);
  }
  // Blanks and comments, and line ends where the rule goes on.
  void skip_space(bool over_lines) {
    while (!is_at_end()) {
      if (is('#'))
        while (!is_at_end() && !is('\n')) ++at_;
      else if (is(' ') || is('\t') || (over_lines && (is('\n') || is('\r'))))
        ++at_;
      else
        break;
    }
  }

  Rule& rule_named(std::string_view name) {
    const auto [found, is_new] = rules_.try_emplace(std::string(name), Rule{0, 0});
    if (is_new) found->second = {builder_.add_rule(), at_};
    return found->second;
  }
  std::string_view take_name() {
    const size_t begin = at_;
    while (!is_at_end() && is_rule_name(text_[at_])) ++at_;
    if (at_ == begin) fail_here("expected a rule's name");
    return text_.substr(begin, at_ - begin);
  }

  void define_rule() {
    const std::string_view name = take_name();
    Rule& rule = rule_named(name);
    if (rule.is_defined) fail_here("the rule '{}' is defined twice", name);
    rule.is_defined = true;
    const int32_t number = rule.number;
    skip_space(false);
    if (!take("::=")) fail_here("expected '::=' behind '{}'", name);
    skip_space(true);
    builder_.define(number, alternatives(false));
    if (!is_at_end() && !is('\n') && !is('\r')) fail_here("unexpected '{}'", text_[at_]);
    skip_space(true);
  }

  ExpressionPtr alternatives(bool is_group) {
    std::vector<ExpressionPtr> parts;
    do {
      skip_space(true);
      parts.push_back(terms(is_group));
    } while (take("|"));
    return choice(std::move(parts));
  }

  ExpressionPtr terms(bool is_group) {
    std::vector<ExpressionPtr> parts;
    while (!is_at_end() && !is('|') && !is(')') && !is('\n') && !is('\r')) {
      ExpressionPtr one = term();
      skip_space(is_group);
      while (bounds(one)) skip_space(is_group);
      parts.push_back(std::move(one));
    }
    return sequence(std::move(parts));
  }

  ExpressionPtr term() {
    if (take("\"")) return text();
    if (take("[")) return sets_.one_of(character_class());
    if (take(".")) return sets_.one_of({{0, kLastCodePoint}});
    if (take("(")) {
      if (++nesting_ > limits_.nesting) fail_here("groups are nested deeper than {}", limits_.nesting);
      ExpressionPtr inside = alternatives(true);
      if (!take(")")) fail_here("expected ')'");
      --nesting_;
      return inside;
    }
    if (!is_rule_name(text_[at_])) fail_here("unexpected '{}'", text_.substr(at_, decode_character(text_, at_).length));
    return rule_reference(rule_named(take_name()).number);
  }

  // Wraps `part` in the repetition that stands here; false if none does.
  bool bounds(ExpressionPtr& part) {
    int32_t minimum = 0, maximum = kUnbounded;
    if (take("+")) {
      minimum = 1;
    } else if (take("?")) {
      maximum = 1;
    } else if (take("{")) {
      const bool has_minimum = number(minimum);
      if (take(",")) {
        if (!number(maximum)) maximum = kUnbounded;
      } else {
        if (!has_minimum) fail_here("expected a number behind '{{'");
        maximum = minimum;
      }
      if (!take("}")) fail_here("expected '}}'");
      if (maximum != kUnbounded && maximum < minimum) fail_here("the bounds of a repetition are out of order");
    } else if (!take("*")) {
      return false;
    }
    part = repeat(std::move(part), minimum, maximum);
    return true;
  }
  bool number(int32_t& value) {
    skip_space(false);
    const bool has_digits = take_count(value, limits_.symbols);
    skip_space(false);
    return has_digits;
  }

  ExpressionPtr text() {
    std::string bytes;
    while (!take("\"")) {
      if (is('\n')) fail_here("a literal has no end");
      append_utf8(bytes, character());
    }
    return literal(bytes);
  }

  CharacterSet character_class() {
    const bool is_inverse = take("^");
    std::vector<CodePoints> ranges;
    while (!take("]")) {
      const uint32_t low = character();
      uint32_t high = low;
      if (is('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        high = character();
      }
      if (high < low) fail_here("a range's ends are out of order");
      ranges.push_back({low, high});
    }
    const CharacterSet set(std::move(ranges));
    return is_inverse ? set.inverse() : set;
  }

  uint32_t character() {
    const uint32_t c = take_character();
    if (c != '\\') return c;
    const uint32_t name = take_character();
    switch (name) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return code_point(2);
      case 'u':
        return code_point(4);
      case 'U':
        return code_point(8);
      case '\\':
      case '"':
      case '[':
      case ']':
        return name;
      default:
        fail_here("unknown escape");
    }
  }
  uint32_t code_point(int digits) {
    const uint32_t value = take_hexadecimal(digits);
    if (value > kLastCodePoint || (value >= 0xD800 && value <= 0xDFFF)) fail_here("expected a character's code point");
    return value;
  }

  const GrammarLimits limits_;
  CharacterExpressions sets_{Encoding::plain, limits_};
  GrammarBuilder builder_;
  std::map<std::string, Rule> rules_;
  int nesting_ = 0;
};

}  // namespace

Grammar gbnf_grammar(std::string_view source, const GrammarLimits& limits) { return GbnfParser(source, limits).run(); }

}  // namespace fude::grammar
