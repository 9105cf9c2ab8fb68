#include "text/template/operators.h"

#include <algorithm>
#include <cmath>

#include "text/template/builtins.h"

namespace fude::jinja {
namespace {

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

// base ** exponent by squaring.
bool power_overflows(int64_t base, int64_t exponent, int64_t& out) {
  out = 1;
  while (exponent > 0) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(out, base, &out)) return true;
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return true;
  }
  return false;
}

Value integers(Machine& machine, std::string_view sign, int64_t a, int64_t b) {
  int64_t out = 0;
  bool overflows = false;
  if (sign == "/" || sign == "//" || sign == "%") machine.require(b != 0, "division by zero");
  if (sign == "/") return double(a) / double(b);
  if (sign == "**" && b < 0) {
    machine.require(a != 0, "0 cannot be raised to a negative power");
    return std::pow(double(a), double(b));
  }
  if (sign == "+") overflows = __builtin_add_overflow(a, b, &out);
  if (sign == "-") overflows = __builtin_sub_overflow(a, b, &out);
  if (sign == "*") overflows = __builtin_mul_overflow(a, b, &out);
  if (sign == "**") overflows = power_overflows(a, b, out);
  if (sign == "//" || sign == "%") {
    overflows = b == -1 && a == INT64_MIN;
    if (!overflows) out = sign == "//" ? floor_divide(a, b) : a - floor_divide(a, b) * b;
  }
  machine.require(!overflows, "{} {} {} does not fit in 64 bits", a, sign, b);
  return out;
}

Value reals(Machine& machine, std::string_view sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "**") {
    machine.require(a >= 0 || std::floor(b) == b, "a root of a negative number");
    machine.require(a != 0 || b >= 0, "0 cannot be raised to a negative power");
    return std::pow(a, b);
  }
  machine.require(b != 0, "division by zero");
  if (sign == "/") return a / b;
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (sign == "%") return rest;
  // Whole but for rounding.
  const double quotient = (a - rest) / b, down = std::floor(quotient);
  return down + (quotient - down > 0.5);
}

Value repeated(Machine& machine, const Value& value, int64_t times) {
  const uint64_t count = uint64_t(std::max<int64_t>(times, 0));
  const uint64_t size = value.text() ? value.text()->size() : value.list()->items.size() * sizeof(Value);
  // Asked before it is made; text() and list() count again what there is then.
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) bytes = UINT64_MAX;
  machine.allocate(bytes);
  if (const Text* text = value.text()) {
    Text out;
    if (size > 0)
      for (uint64_t i = 0; i < count; ++i) out.append(*text);
    return machine.text(std::move(out));
  }
  std::vector<Value> items;
  if (size > 0)
    for (uint64_t i = 0; i < count; ++i)
      items.insert(items.end(), value.list()->items.begin(), value.list()->items.end());
  return machine.list(std::move(items), value.list()->kind);
}

bool is_sequence(const List* list) {
  return list && (list->kind == List::Kind::list || list->kind == List::Kind::tuple);
}

// A list equals a list, a tuple a tuple.
bool same_kind(const List& a, const List& b) { return a.kind == b.kind && a.has_places(); }

bool contains(Machine& machine, const Value& container, const Value& item) {
  if (const Text* text = container.text()) {
    const Text* part = item.text();
    machine.require(part != nullptr, "only a string can be in a string, got {}", kind_name(item));
    machine.spend((text->size() + part->size()) / 32);
    return find_first(text->bytes, part->bytes) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    std::string key;
    machine.require(dict_key(item, key), "{} cannot be the key of a mapping", kind_name(item));
    machine.spend(key.size() / 32);
    return dict->find(key) != nullptr;
  }
  const std::vector<Value> items = machine.items_of(container);
  return std::any_of(items.begin(), items.end(), [&](const Value& other) { return equal(machine, other, item); });
}

}  // namespace

Value calculate(Machine& machine, std::string_view sign, const Value& left, const Value& right) {
  if (sign == "%" && left.text()) return format_percent(machine, *left.text(), right);
  machine.require_defined(left);
  machine.require_defined(right);
  if (int64_t a, b; as_integer(left, a) && as_integer(right, b)) return integers(machine, sign, a, b);
  if (double a, b; as_number(left, a) && as_number(right, b)) return reals(machine, sign, a, b);
  if (sign == "+" && left.text() && right.text()) {
    const bool is_escaped = left.text()->is_escaped || right.text()->is_escaped;
    const auto part = [&](const Text& text) { return is_escaped && !text.is_escaped ? escape_html(text) : text; };
    machine.spend((left.text()->size() + right.text()->size()) / 16);
    Text out = part(*left.text());
    out.append(part(*right.text()));
    out.is_escaped = is_escaped;
    return machine.text(std::move(out));
  }
  if (sign == "+" && is_sequence(left.list()) && is_sequence(right.list()) && same_kind(*left.list(), *right.list())) {
    std::vector<Value> items = left.list()->items;
    items.insert(items.end(), right.list()->items.begin(), right.list()->items.end());
    return machine.list(std::move(items), left.list()->kind);
  }
  if (int64_t times; sign == "*") {
    if ((left.text() || is_sequence(left.list())) && as_integer(right, times)) return repeated(machine, left, times);
    if ((right.text() || is_sequence(right.list())) && as_integer(left, times)) return repeated(machine, right, times);
  }
  machine.fail("'{}' cannot be applied to {} and {}", sign, kind_name(left), kind_name(right));
}

Value negative(Machine& machine, const Value& value, bool is_minus) {
  machine.require_defined(value);
  if (int64_t i; as_integer(value, i)) return is_minus ? integers(machine, "-", 0, i) : Value(i);
  if (const double* d = value.get<double>()) return is_minus ? -*d : *d;
  machine.fail("{} has no sign", kind_name(value));
}

bool equal(Machine& machine, const Value& left, const Value& right) {
  machine.spend();
  if (int64_t a, b; as_integer(left, a) && as_integer(right, b)) return a == b;
  if (double a, b; as_number(left, a) && as_number(right, b)) return a == b;
  if (left.text() && right.text()) {
    machine.spend(std::min(left.text()->size(), right.text()->size()) / 32);
    return left.text()->bytes == right.text()->bytes;
  }
  if (const List* a = left.list(), *b = right.list(); a && b)
    return a == b ||
           (same_kind(*a, *b) && std::equal(a->items.begin(), a->items.end(), b->items.begin(), b->items.end(),
                                            [&](const Value& x, const Value& y) { return equal(machine, x, y); }));
  if (const Dict* a = left.dict(), *b = right.dict(); a && b) {
    if (a->items.size() != b->items.size()) return false;
    for (const auto& [key, place] : a->places) {
      machine.spend(1 + key.size() / 32);
      const Value* other = b->find(key);
      if (other == nullptr || !equal(machine, a->items[place].second, *other)) return false;
    }
    return true;
  }
  if (left.space() || right.space()) return left.space() == right.space();
  if (left.loop() || right.loop()) return left.loop() == right.loop();
  if (left.function() || right.function()) return left.function() == right.function();
  return (left.is<None>() && right.is<None>()) || (left.is<Undefined>() && right.is<Undefined>());
}

bool less(Machine& machine, const Value& left, const Value& right) {
  machine.spend();
  machine.require_defined(left);
  machine.require_defined(right);
  if (int64_t a, b; as_integer(left, a) && as_integer(right, b)) return a < b;
  if (double a, b; as_number(left, a) && as_number(right, b)) return a < b;
  if (left.text() && right.text()) {
    machine.spend(std::min(left.text()->size(), right.text()->size()) / 32);
    return left.text()->bytes < right.text()->bytes;  // UTF-8 keeps the order of code points
  }
  const List *a = left.list(), *b = right.list();
  machine.require(is_sequence(a) && is_sequence(b) && same_kind(*a, *b), "{} and {} have no order", kind_name(left),
                  kind_name(right));
  for (size_t i = 0; i < std::min(a->items.size(), b->items.size()); ++i)
    if (!equal(machine, a->items[i], b->items[i])) return less(machine, a->items[i], b->items[i]);
  return a->items.size() < b->items.size();
}

bool holds(Machine& machine, std::string_view sign, const Value& left, const Value& right) {
  if (sign == "==") return equal(machine, left, right);
  if (sign == "!=") return !equal(machine, left, right);
  if (sign == "in") return contains(machine, right, left);
  if (sign == "not in") return !contains(machine, right, left);
  if (sign == "<") return less(machine, left, right);
  if (sign == ">") return less(machine, right, left);
  // Not the opposite of `<`: a number that is none is neither less, nor greater, nor equal.
  const bool is_less = sign == "<=" ? less(machine, left, right) : less(machine, right, left);
  return is_less || equal(machine, left, right);
}

Value slice_of(Machine& machine, const Value& object, std::optional<int64_t> begin, std::optional<int64_t> end,
               int64_t step) {
  const Text* text = object.text();
  const List* list = object.list();
  machine.require(text || (list && list->has_places()), "{} cannot be sliced", kind_name(object));
  machine.require(step != 0, "the step of a slice is 0");
  if (text) machine.spend(text->size() / 8);
  const int64_t size = int64_t(text ? count_characters(text->bytes) : list->items.size());
  const bool forward = step > 0;
  const auto place = [&](std::optional<int64_t> given, int64_t otherwise) {
    if (!given) return otherwise;
    return std::clamp<int64_t>(*given < 0 ? *given + size : *given, forward ? 0 : -1, forward ? size : size - 1);
  };
  const int64_t from = place(begin, forward ? 0 : size - 1), to = place(end, forward ? size : -1);
  if (text && step == 1) {
    const size_t first = character_place(text->bytes, size_t(from)), last = character_place(text->bytes, size_t(to));
    return machine.text(from < to ? text->part(first, last - first) : Text());
  }
  std::vector<size_t> starts;
  if (text) {
    machine.allocate(text->size() * sizeof(size_t));
    starts = character_starts(text->bytes);
  }
  Text out;
  std::vector<Value> items;
  step = std::clamp<int64_t>(step, -size - 1, size + 1);  // no sum below can overflow
  for (int64_t i = from; forward ? i < to : i > to; i += step) {
    if (text)
      out.append_part(*text, starts[size_t(i)], starts[size_t(i) + 1] - starts[size_t(i)]);
    else
      items.push_back(list->items[size_t(i)]);
  }
  machine.spend(items.size() + out.size());
  return text ? machine.text(std::move(out)) : machine.list(std::move(items), list->kind);
}

}  // namespace fude::jinja
