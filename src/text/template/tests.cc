// Tests: what stands behind `is`.
#include <cstdlib>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/operators.h"
#include "text/unicode.h"

namespace fude::jinja {
namespace {

template <class Kind>
Value is_kind(Machine&, const Value& value) {
  return value.is<Kind>();
}

Value defined(Machine&, const Value& value) { return !value.is<Undefined>(); }
Value number(Machine&, const Value& value) {
  double unused;
  return as_number(value, unused);
}
template <bool wanted>
Value is_flag(Machine&, const Value& value) {
  const bool* flag = value.get<bool>();
  return flag != nullptr && *flag == wanted;
}
Value iterable(Machine&, const Value& value) {
  return value.list() || value.dict() || value.text() || value.loop() || value.is<Undefined>();
}
Value sequence(Machine&, const Value& value) {
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
template <int64_t rest>
Value has_parity(Machine& machine, const Value& value) {
  return rest_is(machine, value, 2, rest);
}
Value divisible(Machine& machine, const Value& value, const Arguments& arguments) {
  int64_t divisor = 0;
  machine.require(as_integer(*bind(machine, arguments, {"num"}, 1)[0], divisor), "expected an integer to divide by");
  return rest_is(machine, value, divisor, 0);
}

Value identical(Machine& machine, const Value& value, const Arguments& arguments) {
  const Value other = *bind(machine, arguments, {"other"}, 1)[0];
  if (value.is<Undefined>() && other.is<Undefined>())  // made anew wherever a name is looked up
    return value.get<Undefined>()->why == other.get<Undefined>()->why;
  if (value.text() || value.list() || value.dict())
    return value.text() == other.text() && value.list() == other.list() && value.dict() == other.dict();
  return value.is<bool>() == other.is<bool>() && value.is<double>() == other.is<double>() &&
         equal(machine, value, other);
}

// Whether there are letters with case, and all of them are of this one.
template <bool upper>
Value all_cased(Machine& machine, const Value& value) {
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

Value escaped(Machine&, const Value& value) { return value.text() && value.text()->is_escaped; }

// Whether it names a filter, or a test.
template <Builtin (*find)(std::string_view)>
Value is_name(Machine& machine, const Value& value) {
  return find(machine.shown(value).bytes) != nullptr;
}

// What the operator of these one or two characters says.
template <char first, char second = '\0'>
Value compared(Machine& machine, const Value& value, const Arguments& arguments) {
  const char sign[] = {first, second, '\0'};
  return holds(machine, sign, value, *bind(machine, arguments, {"other"}, 1)[0]);
}

const std::map<std::string_view, Builtin>& all_tests() {
  static const std::map<std::string_view, Builtin> tests = {
      {"defined", alone<defined>},
      {"undefined", alone<is_kind<Undefined>>},
      {"none", alone<is_kind<None>>},
      {"boolean", alone<is_kind<bool>>},
      {"integer", alone<is_kind<int64_t>>},
      {"float", alone<is_kind<double>>},
      {"string", alone<is_kind<Ref<Text>>>},
      {"mapping", alone<is_kind<Ref<Dict>>>},
      {"callable", alone<is_kind<Ref<Function>>>},
      {"number", alone<number>},
      {"iterable", alone<iterable>},
      {"sequence", alone<sequence>},
      {"true", alone<is_flag<true>>},
      {"false", alone<is_flag<false>>},
      {"odd", alone<has_parity<1>>},
      {"even", alone<has_parity<0>>},
      {"divisibleby", divisible},
      {"sameas", identical},
      {"escaped", alone<escaped>},
      {"upper", alone<all_cased<true>>},
      {"lower", alone<all_cased<false>>},
      {"filter", alone<is_name<find_filter>>},
      {"test", alone<is_name<find_test>>},
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
