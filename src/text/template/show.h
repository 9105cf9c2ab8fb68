// Values as text: Python's str() and repr(), and json.dumps.
#pragma once

#include <optional>

#include "text/template/machine.h"

namespace fude::jinja {

// str() of anything but a string. Numbers are trusted; a list or mapping is as a whole, if all of its strings are.
Text represent(Machine& machine, const Value& value);
// repr() of a float.
std::string show_float(double value);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  std::optional<std::string> indent;
  std::string between_items = ", ", behind_key = ": ";
  bool is_trusted = true;  // indent and separators
};
Text to_json(Machine& machine, const Value& value, const JsonStyle& style);

}  // namespace fude::jinja
