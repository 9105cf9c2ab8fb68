// A template as a tree. It never changes once it is parsed, so any number of threads may render it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/template/value.h"

namespace fude::jinja {

using Builtin = Value (*)(Machine&, const Value& input, const Arguments&);

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<Expression>;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Argument {
  enum class Kind { placed, named, list, mapping };  // x, name=x, *x, **x
  Kind kind;
  std::string name;
  ExpressionPtr value;
};

struct Expression {
  enum class Kind {
    constant,     // constant
    name,         // name
    list,         // parts
    tuple,        // parts
    dict,         // parts: key, value, key, value …
    attribute,    // parts[0].text
    item,         // parts[0][parts[1]]
    slice,        // parts[0][parts[1]:parts[2]:parts[3]], each but the first may be null
    call,         // parts[0](arguments)
    filter,       // parts[0]|text(arguments); parts[0] is null in a filter block
    test,         // parts[0] is text(arguments)
    unary,        // text parts[0]: - + not
    binary,       // parts[0] text parts[1]: + - * / // % **
    compare,      // parts[0] operators[0] parts[1] operators[1] …
    join,         // parts with ~ between
    both,         // parts with `and` between
    either,       // parts with `or` between
    conditional,  // parts[0] if parts[1] else parts[2], which may be null
  };
  Kind kind;
  int line;
  int depth = 1;
  std::string text;
  int name = -1;
  Value constant;
  Builtin builtin = nullptr;  // of a filter or test; null: there is none of that name
  std::vector<ExpressionPtr> parts;
  std::vector<Argument> arguments;
  std::vector<std::string> operators;
};

// What a value is assigned to: a name, a field of a namespace, or several of them.
struct Target {
  int name = -1;
  std::string field;
  std::vector<Target> parts;  // if there are any, the value is taken apart
};

struct Parameter {
  int name;
  ExpressionPtr otherwise;  // may be null
};

struct MacroBody {
  std::string title;
  std::vector<Parameter> parameters;
  Body body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

struct Statement {
  enum class Kind {
    text,        // constant
    print,       // value
    condition,   // branches: condition and body, in turn; without a condition: else
    loop,        // for target in value if filter: body; otherwise
    set,         // target = value
    capture,     // target = body through value, a filter, which may be null
    macro,       // macro, under name
    call,        // value, a call, which gets macro as its caller
    filter,      // body through value
    scope,       // with: targets and values, body; generation: body
    stop_loop,   // break
    next_round,  // continue
  };
  struct Branch {
    ExpressionPtr condition;
    Body body;
  };
  Kind kind;
  int line;
  int name = -1;
  Value constant;
  ExpressionPtr value, filter;
  Target target;
  std::vector<Branch> branches;
  std::vector<std::pair<Target, ExpressionPtr>> assignments;
  Body body, otherwise;
  MacroBody macro;
};

struct Program {
  std::vector<std::string> names;  // of variables, by number
  Body body;
  int caller, varargs, kwargs, loop;  // the numbers of these names
};

}  // namespace fude::jinja
