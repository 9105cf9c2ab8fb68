// The expression half of the parser, and what both halves share.
//
// Recursion and the depth of the tree are bounded by `TemplateLimits::nesting`, so that parsing, rendering and
// destruction may all recurse.
#pragma once

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "text/template/lexer.h"
#include "text/template/limits.h"
#include "text/template/syntax.h"

namespace fude::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const TemplateLimits& limits)
      : tokens_(std::move(tokens)), limits_(limits) {}
  virtual ~ExpressionParser() = default;

 protected:
  using Kind = Expression::Kind;

  // Counts a level of nesting while it lives.
  class Level {
   public:
    explicit Level(ExpressionParser& parser) : parser_(parser) {
      if (++parser.level_ > parser.limits_.nesting)
        parser.fail_here("the template is nested deeper than {}", parser.limits_.nesting);
    }
    ~Level() { --parser_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ExpressionParser& parser_;
  };

  // `a, b` is a tuple; a conditional expression is not allowed where `if` means something else.
  ExpressionPtr tuple(bool with_conditional = true);
  ExpressionPtr expression();
  // The filter behind a `|`, applied to `input`, which is null for a block.
  ExpressionPtr filter(ExpressionPtr input);

  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() {
    Token token = now();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool is_sign(std::string_view sign) const { return now().kind == Token::Kind::sign && now().value == sign; }
  bool is_name(std::string_view name) const { return now().kind == Token::Kind::name && now().value == name; }
  bool take_sign(std::string_view sign) { return is_sign(sign) && (take(), true); }
  bool take_name(std::string_view name) { return is_name(name) && (take(), true); }
  void expect_sign(std::string_view sign);
  std::string expect_name();
  void expect(Token::Kind kind, const char* what);
  int number_of(const std::string& name);

  template <class... Args>
  [[noreturn]] void fail_here(fmt::format_string<Args...> format, Args&&... args) const {
    fail("[chat_template:{}] {}", now().line, fmt::format(format, std::forward<Args>(args)...));
  }
  std::string shown() const;  // the token that stands here, for messages

  // A variable of this number is read.
  virtual void note_use(int) {}

  std::vector<std::string> names_;

 private:
  ExpressionPtr conditional();
  ExpressionPtr chain(Kind kind, std::string_view word, ExpressionPtr (ExpressionParser::*part)());
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr joined();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr binary(std::initializer_list<std::string_view> signs, ExpressionPtr (ExpressionParser::*part)());
  ExpressionPtr signed_value();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr number(const Token& token);
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr object);
  ExpressionPtr test(ExpressionPtr input);
  ExpressionPtr make(Kind kind, int line, std::string text = {}) const;
  // With the parts that are given so far: checks its depth.
  ExpressionPtr done(ExpressionPtr node) const;
  std::vector<Argument> call_arguments();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int level_ = 0;
  std::unordered_map<std::string, int> numbers_;

 protected:
  const TemplateLimits limits_;
};

}  // namespace fude::jinja
