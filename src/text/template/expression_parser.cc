#include <algorithm>
#include <charconv>

#include "text/template/builtins.h"
#include "text/template/parser_base.h"
#include "text/unicode.h"

namespace fude::jinja {

std::string ExpressionParser::shown() const {
  switch (now().kind) {
    case Token::Kind::end:
      return "the end of the template";
    case Token::Kind::text:
      return "text";
    case Token::Kind::block_begin:
      return "{%";
    case Token::Kind::block_end:
      return "%}";
    case Token::Kind::print_begin:
      return "{{";
    case Token::Kind::print_end:
      return "}}";
    default:
      return fmt::format("'{}'", replace_invalid(now().value.substr(0, 40)));
  }
}

void ExpressionParser::expect_sign(std::string_view sign) {
  if (!take_sign(sign)) fail_here("expected '{}', got {}", sign, shown());
}
std::string ExpressionParser::expect_name() {
  if (now().kind != Token::Kind::name) fail_here("expected a name, got {}", shown());
  return take().value;
}
void ExpressionParser::expect(Token::Kind kind, const char* what) {
  if (now().kind != kind) fail_here("expected {}, got {}", what, shown());
  take();
}

int ExpressionParser::number_of(const std::string& name) {
  const auto [found, is_new] = numbers_.emplace(name, int(names_.size()));
  if (is_new) names_.push_back(name);
  return found->second;
}

ExpressionPtr ExpressionParser::make(Kind kind, int line, std::string text) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = line;
  node->text = std::move(text);
  return node;
}

ExpressionPtr ExpressionParser::done(ExpressionPtr node) const {
  for (const ExpressionPtr& part : node->parts)
    if (part) node->depth = std::max(node->depth, part->depth + 1);
  for (const Argument& argument : node->arguments) node->depth = std::max(node->depth, argument.value->depth + 1);
  if (node->depth > limits_.nesting) fail_here("the expression is nested deeper than {}", limits_.nesting);
  return node;
}

ExpressionPtr ExpressionParser::tuple(bool with_conditional) {
  const int line = now().line;
  const auto part = [&] { return with_conditional ? expression() : either(); };
  const auto ends = [&] {
    return now().kind == Token::Kind::print_end || now().kind == Token::Kind::block_end || is_sign(")");
  };
  if (ends()) fail_here("expected an expression, got {}", shown());
  ExpressionPtr first = part();
  if (!is_sign(",")) return first;
  ExpressionPtr node = make(Kind::tuple, line);
  node->parts.push_back(std::move(first));
  while (take_sign(",") && !ends()) node->parts.push_back(part());
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::expression() {
  const Level level(*this);
  return conditional();
}

ExpressionPtr ExpressionParser::conditional() {
  ExpressionPtr value = either();
  while (is_name("if")) {
    ExpressionPtr node = make(Kind::conditional, take().line);
    node->parts.push_back(std::move(value));
    node->parts.push_back(either());
    node->parts.push_back(take_name("else") ? expression() : nullptr);
    value = done(std::move(node));
  }
  return value;
}

ExpressionPtr ExpressionParser::chain(Kind kind, std::string_view word, ExpressionPtr (ExpressionParser::*part)()) {
  const int line = now().line;
  ExpressionPtr first = (this->*part)();
  const auto goes_on = [&] { return word == "~" ? take_sign(word) : take_name(word); };
  if (!goes_on()) return first;
  ExpressionPtr node = make(kind, line);
  node->parts.push_back(std::move(first));
  do node->parts.push_back((this->*part)());
  while (goes_on());
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::either() { return chain(Kind::either, "or", &ExpressionParser::both); }
ExpressionPtr ExpressionParser::both() { return chain(Kind::both, "and", &ExpressionParser::negation); }
ExpressionPtr ExpressionParser::joined() { return chain(Kind::join, "~", &ExpressionParser::product); }

ExpressionPtr ExpressionParser::negation() {
  if (!is_name("not")) return comparison();
  const Level level(*this);
  ExpressionPtr node = make(Kind::unary, take().line, "not");
  node->parts.push_back(negation());
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::comparison() {
  const int line = now().line;
  ExpressionPtr first = sum();
  ExpressionPtr node;
  while (true) {
    std::string sign;
    for (const std::string_view candidate : {"==", "!=", "<", "<=", ">", ">="})
      if (is_sign(candidate)) sign = candidate;
    const bool is_not_in = is_name("not") && next().kind == Token::Kind::name && next().value == "in";
    if (is_name("in")) sign = "in";
    if (is_not_in) sign = "not in", take();
    if (sign.empty()) break;
    take();
    if (!node) {
      node = make(Kind::compare, line);
      node->parts.push_back(std::move(first));
    }
    node->operators.push_back(std::move(sign));
    node->parts.push_back(sum());
  }
  return node ? done(std::move(node)) : std::move(first);
}

ExpressionPtr ExpressionParser::binary(std::initializer_list<std::string_view> signs,
                                       ExpressionPtr (ExpressionParser::*part)()) {
  ExpressionPtr left = (this->*part)();
  while (std::any_of(signs.begin(), signs.end(), [&](std::string_view sign) { return is_sign(sign); })) {
    const Token sign = take();
    ExpressionPtr node = make(Kind::binary, sign.line, sign.value);
    node->parts.push_back(std::move(left));
    node->parts.push_back((this->*part)());
    left = done(std::move(node));
  }
  return left;
}

ExpressionPtr ExpressionParser::sum() { return binary({"+", "-"}, &ExpressionParser::joined); }
ExpressionPtr ExpressionParser::product() { return binary({"*", "/", "//", "%"}, &ExpressionParser::power); }
ExpressionPtr ExpressionParser::power() { return binary({"**"}, &ExpressionParser::signed_value); }
ExpressionPtr ExpressionParser::signed_value() { return unary(true); }

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  ExpressionPtr node;
  if (is_sign("-") || is_sign("+")) {
    const Level level(*this);
    const Token sign = take();
    node = make(Kind::unary, sign.line, sign.value);
    node->parts.push_back(unary(false));
    node = done(std::move(node));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  while (with_filters) {
    if (take_sign("|"))
      node = filter(std::move(node));
    else if (take_name("is"))
      node = test(std::move(node));
    else if (is_sign("("))
      node = postfix(std::move(node));
    else
      break;
  }
  return node;
}

ExpressionPtr ExpressionParser::number(const Token& token) {
  ExpressionPtr node = make(Kind::constant, token.line);
  const char *begin = token.value.data(), *end = begin + token.value.size();
  if (token.kind == Token::Kind::integer) {
    int64_t value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc())
      fail_here("expected an integer of 64 bits, got {}", token.value.substr(0, 40));
    node->constant = value;
  } else {
    double value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc())
      fail_here("expected a number, got {}", token.value.substr(0, 40));
    node->constant = value;
  }
  return node;
}

ExpressionPtr ExpressionParser::primary() {
  const Level level(*this);
  const Token token = take();
  if (token.kind == Token::Kind::name) {
    const std::string& name = token.value;
    ExpressionPtr node = make(Kind::constant, token.line);
    if (name == "true" || name == "True") {
      node->constant = true;
    } else if (name == "false" || name == "False") {
      node->constant = false;
    } else if (name == "none" || name == "None") {
      node->constant = None{};
    } else {
      node->kind = Kind::name;
      node->name = number_of(name);
      note_use(node->name);
    }
    return node;
  }
  if (token.kind == Token::Kind::string) {
    std::string text = token.value;
    while (now().kind == Token::Kind::string) text += take().value;
    ExpressionPtr node = make(Kind::constant, token.line);
    node->constant = std::make_shared<const Text>(text, true);
    return node;
  }
  if (token.kind == Token::Kind::integer || token.kind == Token::Kind::real) return number(token);
  if (token.kind != Token::Kind::sign || (token.value != "(" && token.value != "[" && token.value != "{")) {
    if (token.kind != Token::Kind::end) --at_;  // the message is about it
    fail_here("expected an expression, got {}", shown());
  }
  if (token.value == "(") {
    ExpressionPtr node = is_sign(")") ? make(Kind::tuple, token.line) : tuple();
    expect_sign(")");
    return node;
  }
  const bool is_list = token.value == "[";
  const std::string_view close = is_list ? "]" : "}";
  ExpressionPtr node = make(is_list ? Kind::list : Kind::dict, token.line);
  while (!is_sign(close)) {
    if (!node->parts.empty()) {
      expect_sign(",");
      if (is_sign(close)) break;
    }
    node->parts.push_back(expression());
    if (is_list) continue;
    expect_sign(":");
    node->parts.push_back(expression());
  }
  expect_sign(close);
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr object) {
  while (true) {
    if (is_sign(".")) {
      take();
      const Token token = take();
      ExpressionPtr node = make(Kind::attribute, token.line, token.value);
      node->parts.push_back(std::move(object));
      if (token.kind == Token::Kind::integer) {
        node->kind = Kind::item;
        node->parts.push_back(number(token));
      } else if (token.kind != Token::Kind::name) {
        fail_here("expected a name or a number behind '.'");
      }
      object = done(std::move(node));
    } else if (is_sign("[")) {
      object = subscript(std::move(object));
    } else if (is_sign("(")) {
      ExpressionPtr node = make(Kind::call, now().line);
      node->parts.push_back(std::move(object));
      node->arguments = call_arguments();
      object = done(std::move(node));
    } else {
      return object;
    }
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr object) {
  ExpressionPtr node = make(Kind::item, take().line);
  node->parts.push_back(std::move(object));
  node->parts.push_back(is_sign(":") ? nullptr : expression());
  while (node->parts.size() < 4 && take_sign(":")) {
    node->kind = Kind::slice;
    node->parts.push_back(is_sign(":") || is_sign("]") ? nullptr : expression());
  }
  if (node->kind == Kind::slice) node->parts.resize(4);
  expect_sign("]");
  return done(std::move(node));
}

std::vector<Argument> ExpressionParser::call_arguments() {
  std::vector<Argument> arguments;
  expect_sign("(");
  while (!is_sign(")")) {
    if (!arguments.empty()) {
      expect_sign(",");
      if (is_sign(")")) break;
    }
    Argument argument{Argument::Kind::placed, {}, nullptr};
    if (take_sign("*")) {
      argument.kind = Argument::Kind::list;
    } else if (take_sign("**")) {
      argument.kind = Argument::Kind::mapping;
    } else if (now().kind == Token::Kind::name && next().kind == Token::Kind::sign && next().value == "=") {
      argument.kind = Argument::Kind::named;
      argument.name = take().value;
      take();
    } else if (!arguments.empty() && arguments.back().kind != Argument::Kind::placed) {
      fail_here("an argument without a name stands behind one with a name");
    }
    argument.value = expression();
    arguments.push_back(std::move(argument));
  }
  take();
  return arguments;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr input) {
  ExpressionPtr node = make(Kind::filter, now().line);
  node->text = expect_name();
  node->builtin = find_filter(node->text);
  node->parts.push_back(std::move(input));
  if (is_sign("(")) node->arguments = call_arguments();
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr input) {
  const bool is_negated = take_name("not");
  ExpressionPtr node = make(Kind::test, now().line);
  node->text = expect_name();
  node->builtin = find_test(node->text);
  node->parts.push_back(std::move(input));
  const Token::Kind kind = now().kind;
  const bool is_value = kind == Token::Kind::name || kind == Token::Kind::string || kind == Token::Kind::integer ||
                        kind == Token::Kind::real || is_sign("[") || is_sign("{");
  if (is_sign("(")) {
    node->arguments = call_arguments();
  } else if (is_value && !is_name("else") && !is_name("or") && !is_name("and")) {
    if (is_name("is")) fail_here("tests cannot be chained");
    node->arguments.push_back({Argument::Kind::placed, {}, postfix(primary())});
  }
  node = done(std::move(node));
  if (!is_negated) return node;
  ExpressionPtr negated = make(Kind::unary, node->line, "not");
  negated->parts.push_back(std::move(node));
  return done(std::move(negated));
}

}  // namespace fude::jinja
