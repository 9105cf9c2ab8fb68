// Expressions to values.
#include <algorithm>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/operators.h"

namespace fude::jinja {

Value Machine::look_up(int name) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->around) {
    spend();
    if (const auto found = scope->values.find(name); found != scope->values.end()) return found->second;
  }
  const std::string& spelled = program_.names[size_t(name)];
  Value function = find_function(spelled);
  if (!function.is<Undefined>()) return function;
  return undefined(fmt::format("'{}'", spelled));
}

Value Machine::evaluate(const Expression& node) {
  using Kind = Expression::Kind;
  const Level level(*this);
  line_ = node.line;
  const auto part = [&](size_t i) { return evaluate(*node.parts[i]); };
  switch (node.kind) {
    case Kind::constant:
      return node.constant;
    case Kind::name:
      return look_up(node.name);
    case Kind::list:
    case Kind::tuple: {
      std::vector<Value> items;
      for (size_t i = 0; i < node.parts.size(); ++i) items.push_back(part(i));
      return list(std::move(items), node.kind == Kind::list ? List::Kind::list : List::Kind::tuple);
    }
    case Kind::dict: {
      std::vector<std::pair<Value, Value>> items;
      for (size_t i = 0; i < node.parts.size(); i += 2) {
        Value key = part(i);
        items.emplace_back(std::move(key), part(i + 1));
      }
      return dict(std::move(items));
    }
    case Kind::attribute:
      return attribute(part(0), node.text);
    case Kind::item: {
      const Value object = part(0);
      return item(object, part(1));
    }
    case Kind::slice:
      return slice(node);
    case Kind::call: {
      const Value callee = part(0);
      const Arguments arguments = evaluate_arguments(node.arguments);
      line_ = node.line;
      return call(callee, arguments);
    }
    case Kind::filter:
      return evaluate_filter(node, part(0));
    case Kind::test: {
      const Value input = part(0);
      const Arguments arguments = evaluate_arguments(node.arguments);
      line_ = node.line;
      return call_builtin(node.builtin, "test", node.text, input, arguments);
    }
    case Kind::unary: {
      const Value value = part(0);
      if (node.text == "not") return !is_true(value);
      return negative(*this, value, node.text == "-");
    }
    case Kind::binary: {
      const Value left = part(0), right = part(1);
      line_ = node.line;
      return calculate(*this, node.text, left, right);
    }
    case Kind::compare:
      return compare(node);
    case Kind::join: {
      Text all;
      for (size_t i = 0; i < node.parts.size(); ++i) {
        const Text more = shown(part(i));
        allocate(more.size());
        all.append(more);
      }
      return text(std::move(all));
    }
    case Kind::both:
    case Kind::either:
      for (size_t i = 0;; ++i) {
        Value value = part(i);
        if (i + 1 == node.parts.size() || is_true(value) == (node.kind == Kind::either)) return value;
      }
    case Kind::conditional:
      if (is_true(part(1))) return part(0);
      return node.parts[2] ? part(2) : Value();
  }
  fail("this kind of expression is unknown");
}

Value Machine::evaluate_filter(const Expression& node, const Value& input) {
  const Arguments arguments = evaluate_arguments(node.arguments);
  line_ = node.line;
  return call_builtin(node.builtin, "filter", node.text, input, arguments);
}

Arguments Machine::evaluate_arguments(const std::vector<Argument>& arguments) {
  Arguments out;
  for (const Argument& argument : arguments) {
    Value value = evaluate(*argument.value);
    switch (argument.kind) {
      case Argument::Kind::placed:
        out.placed.push_back(std::move(value));
        break;
      case Argument::Kind::named:
        out.named.emplace_back(argument.name, std::move(value));
        break;
      case Argument::Kind::list:
        for (Value& item : items_of(value)) out.placed.push_back(std::move(item));
        break;
      case Argument::Kind::mapping:
        require(value.dict() != nullptr, "expected a mapping behind **, got {}", kind_name(value));
        for (const auto& [key, field] : value.dict()->items) {
          require(key.text() != nullptr, "expected the names of arguments to be strings, got {}", kind_name(key));
          out.named.emplace_back(key.text()->bytes, field);
          allocate(key.text()->size() + sizeof(Value));
        }
    }
  }
  return out;
}

Value Machine::compare(const Expression& node) {
  Value left = evaluate(*node.parts[0]);
  for (size_t i = 0; i < node.operators.size(); ++i) {
    Value right = evaluate(*node.parts[i + 1]);
    line_ = node.line;
    if (!holds(*this, node.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Machine::slice(const Expression& node) {
  const Value object = evaluate(*node.parts[0]);
  require_defined(object);
  std::optional<int64_t> bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    if (!node.parts[i + 1]) continue;
    const Value value = evaluate(*node.parts[i + 1]);
    if (value.is<None>()) continue;
    int64_t number;
    require(as_integer(value, number), "expected integers in a slice, got {}", kind_name(value));
    bounds[i] = number;
  }
  line_ = node.line;
  return slice_of(*this, object, bounds[0], bounds[1], bounds[2].value_or(1));
}

}  // namespace fude::jinja
