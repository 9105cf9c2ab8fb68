// The two ways in which Python fills values into a string: '{}'.format(x) and '%s' % x.
//
// Of the format specifications only what templates use: width, alignment, zeros and precision.
#include <algorithm>
#include <charconv>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/show.h"

namespace fude::jinja {
namespace {

constexpr int64_t kWidest = 1000;

struct Specification {
  bool left = false, right = false, zeros = false, plus = false;
  int64_t width = 0, precision = -1;
  char type = 0;
};

// Digits at text[at…]; -1 if there are none.
int64_t read_number(const Machine& machine, std::string_view text, size_t& at) {
  int64_t number = -1;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = std::max<int64_t>(number, 0) * 10 + (text[at] - '0');
    machine.require(number <= kWidest, "a width in a format is larger than {}", kWidest);
  }
  return number;
}

Specification read_specification(const Machine& machine, std::string_view text, size_t& at) {
  Specification spec;
  for (; at < text.size(); ++at) {
    if (text[at] == '<' || text[at] == '-')
      spec.left = true;
    else if (text[at] == '>')
      spec.right = true;
    else if (text[at] == '0')
      spec.zeros = true;
    else if (text[at] == '+')
      spec.plus = true;
    else
      break;
  }
  spec.width = std::max<int64_t>(read_number(machine, text, at), 0);
  if (at < text.size() && text[at] == '.') spec.precision = std::max<int64_t>(read_number(machine, text, ++at), 0);
  if (at < text.size()) spec.type = text[at++];
  return spec;
}

Text formatted(Machine& machine, const Value& value, const Specification& spec) {
  Text out;
  int64_t integer;
  double real;
  const bool is_number = as_number(value, real) && (spec.type != 0 || !value.is<bool>());
  const bool wants_text = spec.type == 's' || (spec.type == 0 && !is_number);
  if (wants_text) {
    out = machine.shown(value);
    if (spec.precision >= 0) out = out.part(0, character_place(out.bytes, size_t(spec.precision)));
  } else if (spec.type == 'r') {
    out = represent(machine, value);
  } else {
    machine.require(is_number, "expected a number for the format, got {}", kind_name(value));
    std::string digits;
    const bool is_integer = as_integer(value, integer);
    const int precision = int(spec.precision < 0 ? 6 : spec.precision);
    switch (spec.type) {
      case 0:
        digits = spec.precision >= 0 ? fmt::format("{:.{}g}", real, precision) : machine.shown(value).bytes;
        break;
      case 'd':
      case 'i':
      case 'u':
        machine.require(is_integer || (real > -9e18 && real < 9e18), "the number is too large for the format");
        digits = fmt::format("{}", is_integer ? integer : int64_t(real));
        break;
      case 'x':
        machine.require(is_integer, "expected an integer for the format, got {}", kind_name(value));
        digits = fmt::format("{:x}", integer);
        break;
      case 'f':
        digits = fmt::format("{:.{}f}", real, precision);
        break;
      case 'e':
        digits = fmt::format("{:.{}e}", real, precision);
        break;
      case 'g':
        digits = fmt::format("{:.{}g}", real, precision);
        break;
      case '%':
        digits = fmt::format("{:.{}f}%", real * 100, precision);
        break;
      default:
        machine.fail("the format type '{}' is not supported", spec.type);
    }
    if (spec.plus && digits[0] != '-') digits.insert(digits.begin(), '+');
    const bool has_sign = digits[0] == '-' || digits[0] == '+';
    if (spec.zeros && int64_t(digits.size()) < spec.width)
      digits.insert(has_sign, size_t(spec.width) - digits.size(), '0');
    out = Text(digits, true);
  }
  const int64_t missing = spec.width - int64_t(count_characters(out.bytes));
  if (missing <= 0) return out;
  const Text blanks(std::string(size_t(missing), ' '), true);
  const bool at_left = spec.left || (wants_text && !spec.right);
  Text all = at_left ? out : blanks;
  all.append(at_left ? blanks : out);
  return all;
}

}  // namespace

Value format_braces(Machine& machine, const Text& format, const Arguments& arguments) {
  Text out;
  size_t automatic = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    const char c = format.bytes[at];
    if ((c == '{' || c == '}') && at + 1 < format.size() && format.bytes[at + 1] == c) {
      out.append_part(format, at++, 1);
      continue;
    }
    machine.require(c != '}', "a '}}' stands alone in the format");
    if (c != '{') {
      out.append_part(format, at, 1);
      continue;
    }
    machine.spend(1 + arguments.named.size());
    const size_t end = format.bytes.find('}', at);
    machine.require(end != std::string::npos, "a '{{' stands alone in the format");
    const std::string field = format.bytes.substr(at + 1, end - at - 1);
    const std::string name = field.substr(0, field.find_first_of(":!"));
    std::string_view rest = std::string_view(field).substr(name.size());
    Value value;
    if (name.empty() || name.find_first_not_of("0123456789") == std::string::npos) {
      size_t place = automatic++;
      if (!name.empty()) std::from_chars(name.data(), name.data() + name.size(), place);
      machine.require(place < arguments.placed.size(), "the format asks for argument {}, there are {}", place,
                      arguments.placed.size());
      value = arguments.placed[place];
    } else {
      const auto found = std::find_if(arguments.named.begin(), arguments.named.end(),
                                      [&](const auto& argument) { return argument.first == name; });
      machine.require(found != arguments.named.end(), "the format asks for an argument '{}'", name);
      value = found->second;
    }
    Specification spec;
    if (rest.starts_with("!")) {
      machine.require(rest.substr(0, 2) == "!r" || rest.substr(0, 2) == "!s", "the conversion {} is not supported",
                      rest);
      spec.type = rest[1];
      rest.remove_prefix(2);
    } else if (rest.starts_with(":")) {
      size_t used = 1;
      spec = read_specification(machine, rest, used);
      rest.remove_prefix(used);
    }
    machine.require(rest.empty(), "the format {{{}}} is not supported", field);
    const Text filled = formatted(machine, value, spec);
    machine.allocate(filled.size());
    out.append(filled);
    at = end;
  }
  return machine.text(std::move(out));
}

Value format_percent(Machine& machine, const Text& format, const Value& arguments) {
  const List* list = arguments.list();
  const bool is_tuple = list && list->kind == List::Kind::tuple;
  const size_t count = is_tuple ? list->items.size() : 1;
  size_t used = 0;
  Text out;
  for (size_t at = 0; at < format.size();) {
    if (format.bytes[at] != '%') {
      out.append_part(format, at++, 1);
      continue;
    }
    ++at;
    if (at < format.size() && format.bytes[at] == '%') {
      out.append_part(format, at++, 1);
      continue;
    }
    Value value;
    if (at < format.size() && format.bytes[at] == '(') {
      const size_t close = format.bytes.find(')', at);
      machine.require(close != std::string::npos && arguments.dict(), "expected a mapping for a format with names");
      const Value* found = arguments.dict()->find("s" + format.bytes.substr(at + 1, close - at - 1));
      machine.require(found != nullptr, "the format asks for a name that is not given");
      value = *found;
      at = close + 1;
    } else {
      machine.require(used < count, "the format asks for more than {} values", count);
      value = is_tuple ? list->items[used] : arguments;
      ++used;
    }
    Specification spec = read_specification(machine, format.bytes, at);
    spec.right = !spec.left;
    machine.require(spec.type != 0, "the format ends within a '%'");
    const Text filled = formatted(machine, value, spec);
    machine.allocate(filled.size());
    out.append(filled);
  }
  machine.require(!is_tuple || used == count, "the format takes {} values, got {}", used, count);
  machine.require(is_tuple || used > 0 || arguments.dict() || (list && list->has_places()),
                  "the format takes no value");
  return machine.text(std::move(out));
}

}  // namespace fude::jinja
