#include "text/template/value.h"

#include <fmt/core.h>

#include <cmath>

namespace fude::jinja {

bool is_true(const Value& value) {
  if (value.is<Undefined>() || value.is<None>()) return false;
  if (double number; as_number(value, number)) return number != 0;
  if (const Text* text = value.text()) return text->size() > 0;
  if (const List* list = value.list()) return list->kind == List::Kind::generator || !list->items.empty();
  if (const Dict* dict = value.dict()) return !dict->items.empty();
  return true;
}

int depth_of(const Value& value) {
  if (const List* list = value.list()) return list->depth;
  if (const Dict* dict = value.dict()) return dict->depth;
  if (const Function* function = value.function()) return function->depth;
  return 0;
}

const char* kind_name(const Value& value) {
  if (value.is<Undefined>()) return "an undefined value";
  if (value.is<None>()) return "none";
  if (value.is<bool>()) return "a boolean";
  if (value.is<int64_t>()) return "an integer";
  if (value.is<double>()) return "a float";
  if (value.text()) return "a string";
  if (value.dict()) return "a mapping";
  if (value.function()) return "a function";
  if (value.space()) return "a namespace";
  if (value.loop()) return "a loop";
  switch (value.list()->kind) {
    case List::Kind::list:
      return "a list";
    case List::Kind::tuple:
      return "a tuple";
    case List::Kind::range:
      return "a range";
    case List::Kind::generator:
      return "a generator";
    default:
      return "a view of a mapping";
  }
}

bool dict_key(const Value& value, std::string& key) {
  if (const Text* text = value.text()) {
    key = "s" + text->bytes;
  } else if (double number; as_number(value, number)) {
    if (int64_t whole; as_integer(value, whole))
      key = fmt::format("n{}", whole);
    else if (std::floor(number) == number && std::abs(number) < 9e18)
      key = fmt::format("n{}", int64_t(number));
    else
      key = fmt::format("f{}", number);
  } else if (value.is<None>()) {
    key = "0";
  } else if (value.is<Undefined>()) {
    key = "u";
  } else {
    return false;
  }
  return true;
}

bool as_integer(const Value& value, int64_t& out) {
  if (const bool* b = value.get<bool>()) return out = *b, true;
  if (const int64_t* i = value.get<int64_t>()) return out = *i, true;
  return false;
}

bool as_number(const Value& value, double& out) {
  if (int64_t i; as_integer(value, i)) return out = double(i), true;
  if (const double* d = value.get<double>()) return out = *d, true;
  return false;
}

}  // namespace fude::jinja
