// Filters of one value: strings, numbers, JSON. Those of sequences are in sequence_filters.cc.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/operators.h"
#include "text/template/sequence_filters.h"
#include "text/template/show.h"
#include "text/unicode.h"

namespace fude::jinja {
namespace {

// Filters of strings take anything, as Python's str() shows it.
template <Casing casing>
Value in_case(Machine& machine, const Value& input) {
  return machine.text(change_case(machine.shown(input), casing));
}

Value trim(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"chars"});
  const Text text = machine.shown(input);
  const bool has_characters = given[0] && !given[0]->is<None>();
  if (has_characters && given[0]->text()) machine.allocate(24 * given[0]->text()->size());
  machine.require(!has_characters || given[0]->text(), "expected a string of characters to trim");
  const Bounds bounds = strip_bounds(text.bytes, has_characters ? &given[0]->text()->bytes : nullptr, true, true);
  return machine.text(text.part(bounds.begin, bounds.end - bounds.begin));
}

Value as_string(Machine& machine, const Value& input) {
  return input.text() ? input : machine.text(machine.shown(input));
}

Value safe(Machine& machine, const Value& input) {
  Text text = machine.shown(input);
  text.is_escaped = true;
  return machine.text(std::move(text));
}

Value escape(Machine& machine, const Value& input) {
  if (input.text() && input.text()->is_escaped) return input;
  const Text text = machine.shown(input);
  machine.allocate(6 * text.size());
  return machine.text(escape_html(text));
}

Value replace(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"old", "new", "count"}, 2);
  const Text text = machine.shown(input), old = machine.shown(*given[0]), with = machine.shown(*given[1]);
  int64_t count = -1;
  machine.require(!given[2] || given[2]->is<None>() || as_integer(*given[2], count), "expected a count for replace");
  return replaced_text(machine, text, old, with, count);
}

Value indent(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"width", "first", "blank"});
  machine.require(input.text() != nullptr, "expected a string to indent, got {}", kind_name(input));
  Text indention;
  int64_t width = 4;
  if (given[0] && given[0]->text())
    indention = *given[0]->text();
  else
    machine.require(!given[0] || as_integer(*given[0], width), "expected a width to indent by");
  machine.require(width < 10000, "the indention of {} is too wide", width);
  if (!given[0] || !given[0]->text()) indention.append(std::string(size_t(std::max<int64_t>(width, 0)), ' '), true);
  const bool first = given[1] && is_true(*given[1]), blank = given[2] && is_true(*given[2]);
  Text source = *input.text();
  source.append("\n", true);
  Text out;
  bool is_first = true;
  for_each_line(source, false, [&](const Text& line) {
    machine.allocate(line.size() + indention.size());
    if (!is_first) out.append("\n", true);
    if (is_first ? first : blank || line.size() > 0) out.append(indention);
    out.append(line);
    is_first = false;
  });
  return machine.text(std::move(out));
}

Value tojson(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii_only = given[0] && is_true(*given[0]);
  style.sort_keys = given[3] && is_true(*given[3]);
  if (given[1] && !given[1]->is<None>()) {
    int64_t width = 0;
    machine.require(given[1]->text() || as_integer(*given[1], width), "expected a width to indent JSON by");
    machine.require(width < 1000, "the indention of {} is too wide", width);
    style.indent = given[1]->text() ? given[1]->text()->bytes : std::string(size_t(std::max<int64_t>(width, 0)), ' ');
    style.is_trusted = !given[1]->text() || given[1]->text()->is_trusted();
    style.between_items.pop_back();  // no blank at the end of a line
  }
  if (given[2] && !given[2]->is<None>()) {
    const List* pair = given[2]->list();
    machine.require(pair && pair->items.size() == 2 && pair->items[0].text() && pair->items[1].text(),
                    "expected two strings as separators of JSON");
    style.between_items = pair->items[0].text()->bytes;
    style.behind_key = pair->items[1].text()->bytes;
    for (const Value& separator : pair->items) {
      machine.spend_for(separator);
      style.is_trusted = style.is_trusted && separator.text()->is_trusted();
    }
  }
  return machine.text(to_json(machine, input, style));
}

Value format(Machine& machine, const Value& input, const Arguments& arguments) {
  const Text text = machine.shown(input);
  if (arguments.named.empty()) return format_percent(machine, text, machine.list(arguments.placed, List::Kind::tuple));
  std::vector<std::pair<Value, Value>> items;
  // A name may come from anywhere, as for dict().
  for (const auto& [name, value] : arguments.named) items.emplace_back(machine.text(name, false), value);
  return format_percent(machine, text, machine.dict(std::move(items)));
}

Value otherwise(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"default_value", "boolean"});
  const bool is_missing = input.is<Undefined>() || (given[1] && is_true(*given[1]) && !is_true(input));
  if (!is_missing) return input;
  return given[0] ? *given[0] : machine.text("", true);
}

Value length(Machine& machine, const Value& input) {
  const List* list = input.list();
  if (const Text* text = input.text()) {
    machine.spend(text->size() / 8);
    return int64_t(count_characters(text->bytes));
  }
  if (input.is<Undefined>()) return int64_t(0);
  if (input.dict()) return int64_t(input.dict()->items.size());
  if (input.loop()) return int64_t(input.loop()->items.size());
  machine.require(list && list->kind != List::Kind::generator, "{} has no length", kind_name(input));
  return int64_t(list->items.size());
}

// Of a whole text but white space around it; false if it is no number.
template <class Number>
bool read_whole(const Text& text, Number& out) {
  const Bounds bounds = strip_bounds(text.bytes, nullptr, true, true);
  std::string_view digits = std::string_view(text.bytes).substr(bounds.begin, bounds.end - bounds.begin);
  if (digits.starts_with('+') && !digits.substr(1).starts_with('-')) digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size();
}

Value to_integer(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"default", "base"});
  if (input.text()) machine.spend(input.text()->size() / 8);
  machine.require(!given[1], "the filter int knows only base 10");
  machine.require_defined(input);
  int64_t integer;
  double real = NAN;
  if (as_integer(input, integer) || (input.text() && read_whole(*input.text(), integer))) return integer;
  if (as_number(input, real) || (input.text() && read_whole(*input.text(), real)))
    if (!std::isnan(real)) {
      machine.require(std::abs(real) < 9e18, "the number does not fit in 64 bits");
      return int64_t(real);
    }
  return given[0] ? *given[0] : Value(int64_t(0));
}

Value to_float(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"default"});
  if (input.text()) machine.spend(input.text()->size() / 8);
  machine.require_defined(input);
  double real;
  if (as_number(input, real) || (input.text() && read_whole(*input.text(), real))) return real;
  return given[0] ? *given[0] : Value(0.0);
}

Value absolute(Machine& machine, const Value& input) {
  double real;
  machine.require(as_number(input, real), "expected a number, got {}", kind_name(input));
  return negative(machine, input, real < 0);
}

Value rounded(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"precision", "method"});
  const std::string method = given[1] ? machine.shown(*given[1]).bytes : "common";
  int64_t digits = 0;
  double real;
  machine.require(as_number(input, real), "expected a number, got {}", kind_name(input));
  machine.require(!given[0] || (as_integer(*given[0], digits) && digits >= 0 && digits < 100),
                  "expected a precision from 0 to 99");
  if (method == "common") {
    if (int64_t integer; as_integer(input, integer)) return integer;
    // Printing rounds the exact value, half to even, as Python does.
    double out = real;
    if (std::isfinite(real)) {
      const std::string shown = fmt::format("{:.{}f}", real, int(digits));
      std::from_chars(shown.data(), shown.data() + shown.size(), out);
    }
    return out;
  }
  machine.require(method == "ceil" || method == "floor", "expected common, ceil or floor, got '{}'", method);
  const double scale = std::pow(10, double(digits));
  return (method == "ceil" ? std::ceil(real * scale) : std::floor(real * scale)) / scale;
}

Value wordcount(Machine& machine, const Value& input) {
  const Text text = machine.shown(input);
  machine.spend(text.size() / 8);
  int64_t count = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text.bytes, at);
    const bool is_word = c.code_point == '_' || (bit(class_of(c.code_point)) & (kLetters | kNumbers));
    count += is_word && !in_word;
    in_word = is_word;
    at += c.length;
  }
  return count;
}

Value truncate(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"length", "killwords", "end", "leeway"});
  machine.require(input.text() != nullptr, "expected a string to truncate, got {}", kind_name(input));
  machine.spend(input.text()->size() / 8);
  const Text text = *input.text(), end = given[2] ? machine.shown(*given[2]) : Text("...", true);
  int64_t length = 255, leeway = 5;
  machine.require((!given[0] || as_integer(*given[0], length)) && (!given[3] || as_integer(*given[3], leeway)),
                  "expected integers for truncate");
  const int64_t end_length = int64_t(count_characters(end.bytes));
  machine.require(length >= end_length && leeway >= 0, "the length for truncate is too small");
  if (int64_t(count_characters(text.bytes)) - leeway <= length) return machine.text(text);
  Text out = text.part(0, character_place(text.bytes, size_t(length - end_length)));
  if (const size_t blank = out.bytes.rfind(' '); !(given[1] && is_true(*given[1])) && blank != std::string::npos)
    out = out.part(0, blank);
  out.append(end);
  return machine.text(std::move(out));
}

}  // namespace

Value replaced_text(Machine& machine, const Text& text, const Text& old, const Text& with, int64_t at_most) {
  machine.spend((text.size() + old.size()) / 16);
  const size_t count = count_parts(text.bytes, old.bytes);
  machine.allocate((at_most < 0 ? count : std::min(count, size_t(at_most))) * with.size());
  return machine.text(replace_all(text, old, with, at_most));
}

Builtin find_filter(std::string_view name) {
  static const std::map<std::string_view, Builtin> filters = [] {
    std::map<std::string_view, Builtin> all = {
        {"upper", alone<in_case<Casing::upper>>},
        {"lower", alone<in_case<Casing::lower>>},
        {"capitalize", alone<in_case<Casing::capitalize>>},
        {"title", alone<in_case<Casing::words>>},
        {"trim", trim},
        {"string", alone<as_string>},
        {"safe", alone<safe>},
        {"escape", alone<escape>},
        {"e", alone<escape>},
        {"replace", replace},
        {"indent", indent},
        {"tojson", tojson},
        {"format", format},
        {"default", otherwise},
        {"d", otherwise},
        {"length", alone<length>},
        {"count", alone<length>},
        {"int", to_integer},
        {"float", to_float},
        {"abs", alone<absolute>},
        {"round", rounded},
        {"wordcount", alone<wordcount>},
        {"truncate", truncate},
    };
    add_sequence_filters(all);
    return all;
  }();
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace fude::jinja
