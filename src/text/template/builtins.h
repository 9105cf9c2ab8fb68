// What a template can call: filters, tests, functions, and the methods of strings, lists and mappings.
#pragma once

#include <map>
#include <string_view>

#include "text/template/syntax.h"

namespace fude::jinja {

// By name; null if there is none.
Builtin find_filter(std::string_view name);
Builtin find_test(std::string_view name);

// A method, bound to its object. `is_known` says whether Python has one of this name, which hides a key of a mapping.
struct Method {
  bool is_known = false;
  Value bound;
};
Method find_method(Machine& machine, const Value& object, const std::string& name);

// range, namespace, dict, raise_exception, strftime_now; undefined if there is none.
Value find_function(std::string_view name);

// text.replace(old, with), the first `at_most` of them unless that is negative.
Value replaced_text(Machine& machine, const Text& text, const Text& old, const Text& with, int64_t at_most);
// Python's str.format and the % operator of strings.
Value format_braces(Machine& machine, const Text& format, const Arguments& arguments);
Value format_percent(Machine& machine, const Text& format, const Value& arguments);

}  // namespace fude::jinja
