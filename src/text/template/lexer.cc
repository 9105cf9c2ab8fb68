#include "text/template/lexer.h"

#include <algorithm>

#include "base/error.h"
#include "text/template/text.h"
#include "text/unicode.h"

namespace fude::jinja {
namespace {

constexpr size_t kNowhere = std::string::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char low = char(c | 32);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// Newlines as \n, without one at the very end.
std::string normal_source(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normal_source(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const size_t tag = next_tag();
      if (tag == kNowhere) {
        add(Token::Kind::text, source_.substr(at_), at_);
        break;
      }
      const char kind = source_[tag + 1];
      size_t inside = tag + 2;
      const char control = char_at(inside);
      const bool is_control = control == '-' || control == '+';
      inside += is_control;
      const size_t raw = kind == '%' ? raw_end(inside) : kNowhere;
      add_text(tag, is_control ? control : kind == '{' ? '+' : ' ');
      at_ = inside;
      if (kind == '#')
        skip_comment(tag);
      else if (raw != kNowhere)
        raw_block(tag, raw);
      else
        code(kind == '%', tag);
    }
    add(Token::Kind::end, "", source_.size());
    return std::move(tokens_);
  }

 private:
  char char_at(size_t i) const { return i < source_.size() ? source_[i] : '\0'; }
  std::string_view rest(size_t from) const { return std::string_view(source_).substr(from); }
  size_t skip_white(size_t i) const { return i + strip_bounds(rest(i), nullptr, true, false).begin; }

  int line_of(size_t place) {  // asked for growing places
    line_ += int(std::count(source_.begin() + ptrdiff_t(counted_), source_.begin() + ptrdiff_t(place), '\n'));
    counted_ = place;
    return line_;
  }
  template <class... Args>
  [[noreturn]] void fail_at(size_t place, fmt::format_string<Args...> format, Args&&... args) {
    const auto line = 1 + std::count(source_.begin(), source_.begin() + ptrdiff_t(place), '\n');
    fail("[chat_template:{}] {}", line, fmt::format(format, std::forward<Args>(args)...));
  }
  void add(Token::Kind kind, std::string value, size_t place) {
    if (kind == Token::Kind::text && value.empty()) return;
    tokens_.push_back({kind, std::move(value), line_of(std::max(place, counted_))});
  }

  size_t next_tag() const {
    for (size_t i = at_; (i = source_.find('{', i)) != kNowhere; ++i)
      if (const char c = char_at(i + 1); c == '{' || c == '%' || c == '#') return i;
    return kNowhere;
  }

  // The text up to `tag`, less what the tag takes along.
  void add_text(size_t tag, char control) {
    std::string_view text = rest(at_).substr(0, tag - at_);
    if (control == '-') {
      text = text.substr(0, strip_bounds(text, nullptr, false, true).end);
    } else if (control == ' ') {
      const size_t newline = text.rfind('\n');
      const size_t begin = newline == kNowhere ? 0 : newline + 1;
      const bool at_line_start = begin > 0 || at_ == 0 || source_[at_ - 1] == '\n';
      if (at_line_start && strip_bounds(text.substr(begin), nullptr, true, false).begin == text.size() - begin)
        text = text.substr(0, begin);
    }
    add(Token::Kind::text, std::string(text), at_);
  }

  // The end of a tag whose closing mark (like `%}`) stands at i, or `-` or `+` before it; nowhere if none does.
  size_t tag_end(size_t i, std::string_view mark, bool is_block) const {
    if (char_at(i) == '-' && rest(i + 1).starts_with(mark)) return skip_white(i + 1 + mark.size());
    if (is_block && char_at(i) == '+' && rest(i + 1).starts_with(mark)) return i + 1 + mark.size();
    if (!rest(i).starts_with(mark)) return kNowhere;
    i += mark.size();
    return is_block && char_at(i) == '\n' ? i + 1 : i;
  }

  void skip_comment(size_t tag) {
    const size_t mark = source_.find("#}", at_);
    if (mark == kNowhere && at_ >= source_.size()) return;  // as in Jinja: the text's last two characters
    if (mark == kNowhere) fail_at(tag, "this comment has no end");
    const bool controlled = mark > at_ && (source_[mark - 1] == '-' || source_[mark - 1] == '+');
    at_ = tag_end(mark - controlled, "#}", true);
  }

  // Where the text begins if `raw %}` stands at i.
  size_t raw_end(size_t i) const {
    i = skip_white(i);
    if (!rest(i).starts_with("raw")) return kNowhere;
    i = skip_white(i + 3);
    if (rest(i).starts_with("-%}")) return skip_white(i + 3);
    return rest(i).starts_with("%}") ? i + 2 : kNowhere;
  }

  void raw_block(size_t tag, size_t begin) {
    at_ = begin;
    for (size_t i = begin; (i = source_.find("{%", i)) != kNowhere; i += 2) {
      size_t inside = i + 2;
      const char control = char_at(inside);
      const bool is_control = control == '-' || control == '+';
      inside = skip_white(inside + is_control);
      if (!rest(inside).starts_with("endraw")) continue;
      const size_t end = tag_end(skip_white(inside + 6), "%}", true);
      if (end == kNowhere) continue;
      add_text(i, is_control ? control : ' ');
      at_ = end;
      return;
    }
    fail_at(tag, "this raw block has no end");
  }

  // The tokens between the marks of a tag.
  void code(bool is_block, size_t tag) {
    using Kind = Token::Kind;
    const std::string_view mark = is_block ? "%}" : "}}";
    add(is_block ? Kind::block_begin : Kind::print_begin, "", tag);
    std::string open;  // the closing brackets to come
    while (true) {
      at_ = skip_white(at_);
      if (at_ >= source_.size()) fail_at(tag, "this tag has no end");
      if (open.empty())
        if (const size_t end = tag_end(at_, mark, is_block); end != kNowhere) {
          add(is_block ? Kind::block_end : Kind::print_end, "", at_);
          at_ = end;
          return;
        }
      const char c = source_[at_];
      if (is_digit(c))
        number();
      else if (is_name_start(c))
        name();
      else if (c == '"' || c == '\'')
        string(c);
      else
        sign(open);
    }
  }

  void name() {
    const size_t begin = at_;
    while (is_name_start(char_at(at_)) || is_digit(char_at(at_))) ++at_;
    add(Token::Kind::name, source_.substr(begin, at_ - begin), begin);
  }

  // Digits, and underscores between them.
  void digits(std::string& out) {
    while (is_digit(char_at(at_)) || (char_at(at_) == '_' && is_digit(char_at(at_ + 1)))) {
      if (source_[at_] != '_') out += source_[at_];
      ++at_;
    }
  }
  void number() {
    const size_t begin = at_;
    std::string value;
    digits(value);
    const bool behind_dot = begin > 0 && source_[begin - 1] == '.';
    bool is_real = false;
    if (!behind_dot && char_at(at_) == '.' && is_digit(char_at(at_ + 1))) {
      value += source_[at_++];
      digits(value);
      is_real = true;
    }
    const size_t sign_size = char_at(at_ + 1) == '-' || char_at(at_ + 1) == '+';
    if (!behind_dot && (char_at(at_) | 32) == 'e' && is_digit(char_at(at_ + 1 + sign_size))) {
      value += source_.substr(at_, 1 + sign_size);
      at_ += 1 + sign_size;
      digits(value);
      is_real = true;
    }
    if (!is_real && value.size() > 1 && value[0] == '0' && value.find_first_not_of('0') != kNowhere)
      fail_at(begin, "an integer may not begin with 0, got {}", value);
    add(is_real ? Token::Kind::real : Token::Kind::integer, value, begin);
  }

  void string(char quote) {
    const size_t begin = at_++;
    std::string value;
    for (; char_at(at_) != quote || at_ >= source_.size(); ++at_) {
      if (at_ >= source_.size()) fail_at(begin, "this string has no end");
      if (source_[at_] == '\\')
        escape(value);
      else
        value += source_[at_];
    }
    ++at_;
    add(Token::Kind::string, std::move(value), begin);
  }

  // A backslash at at_; at_ is left at the last character of the escape. What is no escape stays as it is written.
  void escape(std::string& out) {
    static constexpr std::string_view kNames = "abfnrtv\\'\"", kValues = "\a\b\f\n\r\t\v\\'\"";
    const size_t begin = at_;
    const char c = char_at(++at_);
    if (const size_t i = kNames.find(c); i != kNowhere) {
      out += kValues[i];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      uint32_t point = 0;
      for (int left = c == 'x' ? 2 : c == 'u' ? 4 : 8; left > 0; --left) {
        const int digit = hex_digit(char_at(++at_));
        if (digit < 0 || point > 0x10FFFF) fail_at(begin, "expected a hexadecimal digit in the escape \\{}", c);
        point = point << 4 | uint32_t(digit);
      }
      if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
        fail_at(begin, "the escape \\{} gives U+{:04X}, which is no character", c, point);
      append_utf8(out, point);
    } else if (c >= '0' && c <= '7') {
      uint32_t point = 0;
      for (int i = 0; i < 3 && char_at(at_) >= '0' && char_at(at_) <= '7'; ++i)
        point = point * 8 + uint32_t(source_[at_++] - '0');
      --at_;
      append_utf8(out, point);
    } else if (c == 'N') {
      fail_at(begin, "characters by name (\\N) are not supported");
    } else if (c != '\n') {
      out += '\\';
      --at_;
    }
  }

  void sign(std::string& open) {
    static constexpr std::string_view kLong[] = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kShort = "+-/*%~[](){}><=.:|,;";
    const size_t begin = at_;
    std::string value;
    for (const std::string_view candidate : kLong)
      if (rest(at_).starts_with(candidate)) value = candidate;
    if (value.empty()) {
      if (kShort.find(source_[at_]) == kNowhere)
        fail_at(begin, "unexpected character '{}'",
                replace_invalid(source_.substr(at_, decode_character(source_, at_).length)));
      value = source_[at_];
    }
    at_ += value.size();
    const char c = value[0];
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) fail_at(begin, "unexpected '{}'", c);
      open.pop_back();
    }
    add(Token::Kind::sign, std::move(value), begin);
  }

  const std::string source_;
  size_t at_ = 0;
  size_t counted_ = 0;  // newlines before this place are in line_
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace fude::jinja
