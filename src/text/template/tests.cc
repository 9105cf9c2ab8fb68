// Tests: what stands behind `is`.
#include <cstdlib>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/operators.h"
#include "text/unicode.h"

namespace fude::jinja {
namespace {

template <class Kind>
Value is_kind(Machine&, const Value& value, const Arguments&) {
  return value.is<Kind>();
}

Value defined(Machine&, const Value& value, const Arguments&) { return !value.is<Undefined>(); }
Value number(Machine&, const Value& value, const Arguments&) {
  double unused;
  return as_number(value, unused);
}
Value is_flag(const Value& value, bool wanted) {
  const bool* flag = value.get<bool>();
  return flag != nullptr && *flag == wanted;
}
Value iterable(Machine&, const Value& value, const Arguments&) {
  return value.list() || value.dict() || value.text() || value.loop() || value.is<Undefined>();
}
Value sequence(Machine&, const Value& value, const Arguments&) {
  const List* list = value.list();
  return value.is<Undefined>() || value.text() || value.dict() || (list && list->has_places());
}

Value rest_is(Machine& machine, const Value& value, int64_t divisor, int64_t rest) {
  machine.require(divisor != 0, "division by zero");
  int64_t integer = 0;
  if (const double* real = value.get<double>()) {
    const Value remainder = calculate(machine, "%", *real, double(divisor));
    return *remainder.get<double>() == double(rest);
  }
  machine.require(as_integer(value, integer), "expected a number, got {}", kind_name(value));
  return divisor == -1 || std::abs(integer % divisor) == rest;
}
Value divisible(Machine& machine, const Value& value, const Arguments& arguments) {
  int64_t divisor = 0;
  machine.require(as_integer(*bind(machine, arguments, {"num"}, 1)[0], divisor), "expected an integer to divide by");
  return rest_is(machine, value, divisor, 0);
}

Value identical(Machine& machine, const Value& value, const Arguments& arguments) {
  const Value other = *bind(machine, arguments, {"other"}, 1)[0];
  if (value.text() || value.list() || value.dict())
    return value.text() == other.text() && value.list() == other.list() && value.dict() == other.dict();
  return value.is<bool>() == other.is<bool>() && value.is<double>() == other.is<double>() &&
         equal(machine, value, other);
}

// Whether there are letters with case, and all of them are of this one.
Value all_cased(Machine& machine, const Value& value, bool upper) {
  const std::string text = machine.shown(value).bytes;
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text, at);
    const CharClass of = class_of(c.code_point);
    if (of == CharClass::title || of == (upper ? CharClass::lower : CharClass::upper)) return false;
    any = any || of == (upper ? CharClass::upper : CharClass::lower);
    at += c.length;
  }
  return any;
}

// What the operator of these one or two characters says.
template <char first, char second = '\0'>
Value compared(Machine& machine, const Value& value, const Arguments& arguments) {
  const char sign[] = {first, second, '\0'};
  return holds(machine, sign, value, *bind(machine, arguments, {"other"}, 1)[0]);
}

const std::map<std::string_view, Builtin>& all_tests() {
  using V = const Value&;
  using A = const Arguments&;
  static const std::map<std::string_view, Builtin> tests = {
      {"defined", defined},
      {"undefined", is_kind<Undefined>},
      {"none", is_kind<None>},
      {"boolean", is_kind<bool>},
      {"integer", is_kind<int64_t>},
      {"float", is_kind<double>},
      {"string", is_kind<Ref<Text>>},
      {"mapping", is_kind<Ref<Dict>>},
      {"callable", is_kind<Ref<Function>>},
      {"number", number},
      {"iterable", iterable},
      {"sequence", sequence},
      {"true", [](Machine&, V v, A) { return is_flag(v, true); }},
      {"false", [](Machine&, V v, A) { return is_flag(v, false); }},
      {"odd", [](Machine& m, V v, A) { return rest_is(m, v, 2, 1); }},
      {"even", [](Machine& m, V v, A) { return rest_is(m, v, 2, 0); }},
      {"divisibleby", divisible},
      {"sameas", identical},
      {"escaped", [](Machine&, V v, A) { return Value(v.text() && v.text()->is_escaped); }},
      {"upper", [](Machine& m, V v, A) { return all_cased(m, v, true); }},
      {"lower", [](Machine& m, V v, A) { return all_cased(m, v, false); }},
      {"filter", [](Machine& m, V v, A) { return Value(find_filter(m.shown(v).bytes) != nullptr); }},
      {"test", [](Machine& m, V v, A) { return Value(find_test(m.shown(v).bytes) != nullptr); }},
      {"in", compared<'i', 'n'>},
      {"==", compared<'=', '='>},
      {"eq", compared<'=', '='>},
      {"equalto", compared<'=', '='>},
      {"!=", compared<'!', '='>},
      {"ne", compared<'!', '='>},
      {">", compared<'>'>},
      {"gt", compared<'>'>},
      {"greaterthan", compared<'>'>},
      {">=", compared<'>', '='>},
      {"ge", compared<'>', '='>},
      {"<", compared<'<'>},
      {"lt", compared<'<'>},
      {"lessthan", compared<'<'>},
      {"<=", compared<'<', '='>},
      {"le", compared<'<', '='>},
  };
  return tests;
}

}  // namespace

Builtin find_test(std::string_view name) {
  const auto found = all_tests().find(name);
  return found == all_tests().end() ? nullptr : found->second;
}

}  // namespace fude::jinja
