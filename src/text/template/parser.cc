#include "text/template/parser.h"

#include <algorithm>
#include <utility>

#include "text/template/parser_base.h"

namespace fude::jinja {
namespace {

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Program run() {
    Program program;
    program.caller = caller_ = number_of("caller");
    program.varargs = varargs_ = number_of("varargs");
    program.kwargs = kwargs_ = number_of("kwargs");
    program.loop = number_of("loop");
    program.body = body({});
    program.names = std::move(names_);
    return program;
  }

 private:
  using Do = Statement::Kind;
  using Names = std::initializer_list<std::string_view>;

  // Statements up to a tag whose name is in `ends`, which is left to be read; without any, up to the end.
  Body body(Names ends) {
    const Level level(*this);
    Body statements;
    while (now().kind != Token::Kind::end) {
      auto statement = std::make_unique<Statement>();
      statement->line = now().line;
      if (now().kind == Token::Kind::text) {
        statement->kind = Do::text;
        statement->constant = std::make_shared<const Text>(take().value, true);
      } else if (now().kind == Token::Kind::print_begin) {
        take();
        statement->kind = Do::print;
        statement->value = tuple();
        expect(Token::Kind::print_end, "}}");
      } else {
        expect(Token::Kind::block_begin, "a tag");
        if (std::any_of(ends.begin(), ends.end(), [&](std::string_view name) { return is_name(name); }))
          return statements;
        tag(*statement);
        expect(Token::Kind::block_end, "%}");
      }
      statements.push_back(std::move(statement));
    }
    if (ends.size() > 0) fail_here("the template ends before {{% {} %}}", *(ends.end() - 1));
    return statements;
  }

  // The body of a tag whose `%}` comes next, and the name of the tag that ends it.
  Body block(Names ends) {
    take_sign(":");
    expect(Token::Kind::block_end, "%}");
    return body(ends);
  }
  Body whole_block(std::string_view end) {
    Body statements = block({end});
    take();
    return statements;
  }

  void tag(Statement& out) {
    const std::string name = expect_name();
    if (name == "if") {
      condition(out);
    } else if (name == "for") {
      loop(out);
    } else if (name == "set") {
      set(out);
    } else if (name == "macro") {
      out.kind = Do::macro;
      out.macro.title = expect_name();
      out.name = number_of(out.macro.title);
      parameters(out.macro);
      macro_body(out.macro, "endmacro");
    } else if (name == "call") {
      out.kind = Do::call;
      out.macro.title = "caller";
      if (is_sign("(")) parameters(out.macro);
      out.value = expression();
      if (out.value->kind != Expression::Kind::call) fail_here("expected a call");
      macro_body(out.macro, "endcall");
    } else if (name == "filter") {
      out.kind = Do::filter;
      out.value = filters(nullptr);
      out.body = whole_block("endfilter");
    } else if (name == "with") {
      out.kind = Do::scope;
      while (now().kind != Token::Kind::block_end) {
        if (!out.assignments.empty()) expect_sign(",");
        Target target = single_target(false);
        expect_sign("=");
        out.assignments.emplace_back(std::move(target), expression());
      }
      out.body = whole_block("endwith");
    } else if (name == "generation") {
      out.kind = Do::scope;
      const int around = std::exchange(loops_, 0);  // its body is a function of its own
      out.body = whole_block("endgeneration");
      loops_ = around;
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) fail_here("'{}' stands outside of a loop", name);
      out.kind = name == "break" ? Do::stop_loop : Do::next_round;
    } else {
      fail_here("unknown tag '{}'", name);
    }
  }

  void condition(Statement& out) {
    out.kind = Do::condition;
    while (true) {
      ExpressionPtr test = tuple(false);
      Body then = block({"elif", "else", "endif"});
      out.branches.push_back({std::move(test), std::move(then)});
      if (take_name("elif")) continue;
      if (take_name("else"))
        out.branches.push_back({nullptr, whole_block("endif")});
      else
        take();
      return;
    }
  }

  void loop(Statement& out) {
    out.kind = Do::loop;
    out.target = target(false);
    if (!take_name("in")) fail_here("expected 'in', got {}", shown());
    out.value = tuple(false);
    if (take_name("if")) out.filter = expression();
    if (is_name("recursive")) fail_here("recursive loops are not supported");
    ++loops_;
    out.body = block({"else", "endfor"});
    --loops_;
    if (take().value == "else") out.otherwise = whole_block("endfor");
  }

  void set(Statement& out) {
    out.target = target(true);
    if (take_sign("=")) {
      out.kind = Do::set;
      out.value = tuple();
    } else {
      out.kind = Do::capture;
      if (take_sign("|")) out.value = filters(nullptr);
      out.body = whole_block("endset");
    }
  }

  ExpressionPtr filters(ExpressionPtr input) {
    input = filter(std::move(input));
    while (take_sign("|")) input = filter(std::move(input));
    return input;
  }

  Target single_target(bool with_field) {
    const Level level(*this);
    Target target;
    if (take_sign("(")) {
      target = this->target(with_field);
      expect_sign(")");
      return target;
    }
    const std::string name = expect_name();
    for (const char* taken : {"true", "false", "none", "True", "False", "None"})
      if (name == taken) fail_here("cannot assign to '{}'", name);
    target.name = number_of(name);
    if (with_field && take_sign(".")) target.field = expect_name();
    return target;
  }
  Target target(bool with_field) {
    Target first = single_target(with_field);
    if (!is_sign(",")) return first;
    Target all;
    all.parts.push_back(std::move(first));
    while (take_sign(",") && (now().kind == Token::Kind::name || is_sign("(")) && !is_name("in"))
      all.parts.push_back(single_target(with_field));
    return all;
  }

  void parameters(MacroBody& macro) {
    expect_sign("(");
    while (!is_sign(")")) {
      if (!macro.parameters.empty()) expect_sign(",");
      Parameter parameter{number_of(expect_name()), nullptr};
      if (take_sign("="))
        parameter.otherwise = expression();
      else if (!macro.parameters.empty() && macro.parameters.back().otherwise)
        fail_here("a parameter without a default stands behind one with a default");
      macro.parameters.push_back(std::move(parameter));
    }
    take();
  }

  void macro_body(MacroBody& macro, std::string_view end) {
    const int around = std::exchange(loops_, 0);
    const std::vector<bool> used_around = std::exchange(used_, std::vector<bool>(3));
    macro.body = whole_block(end);
    macro.uses_caller = used_[0], macro.uses_varargs = used_[1], macro.uses_kwargs = used_[2];
    for (size_t i = 0; i < used_.size(); ++i) used_[i] = used_[i] || used_around[i];
    loops_ = around;
  }

  void note_use(int name) override {
    if (name == caller_) used_[0] = true;
    if (name == varargs_) used_[1] = true;
    if (name == kwargs_) used_[2] = true;
  }

  int loops_ = 0;  // open around this place, within the macro
  int caller_ = 0, varargs_ = 0, kwargs_ = 0;
  std::vector<bool> used_ = std::vector<bool>(3);  // these three, in the innermost macro
};

}  // namespace

Program parse(std::string_view source, const TemplateLimits& limits) {
  require(source.size() <= limits.source_bytes, "[chat_template] the template has {} bytes, the limit is {}",
          source.size(), limits.source_bytes);
  return Parser(tokenize(source), limits).run();
}

}  // namespace fude::jinja
