#include "text/template/machine.h"

#include <algorithm>

#include "text/template/builtins.h"
#include "text/template/show.h"
#include "text/unicode.h"

namespace fude::jinja {

void Machine::require_defined(const Value& value) const {
  const auto* undefined = value.get<Undefined>();
  require(undefined == nullptr, "{} is undefined", undefined && undefined->why ? *undefined->why : "the value");
}

Value Machine::text(Text text) {
  allocate(128 + 2 * text.size());
  return std::make_shared<const Text>(std::move(text));
}

Value Machine::list(std::vector<Value> items, List::Kind kind) {
  allocate(64 + items.size() * sizeof(Value));
  auto list = std::make_shared<List>();
  for (const Value& item : items) list->depth = std::max(list->depth, 1 + depth_of(item));
  require(list->depth <= limits_.value_nesting, "lists are nested deeper than {}", limits_.value_nesting);
  list->kind = kind;
  list->items = std::move(items);
  return Ref<List>(std::move(list));
}

Value Machine::dict(std::vector<std::pair<Value, Value>> items) {
  allocate(64 + items.size() * (2 * sizeof(Value) + 96));
  auto dict = std::make_shared<Dict>();
  for (std::pair<Value, Value>& item : items) {
    std::string name;
    require(dict_key(item.first, name), "{} cannot be the key of a mapping", kind_name(item.first));
    allocate(name.size());
    dict->depth = std::max({dict->depth, 1 + depth_of(item.second)});
    const auto [place, is_new] = dict->places.emplace(std::move(name), dict->items.size());
    if (is_new)
      dict->items.push_back(std::move(item));
    else
      dict->items[place->second].second = std::move(item.second);
  }
  require(dict->depth <= limits_.value_nesting, "mappings are nested deeper than {}", limits_.value_nesting);
  return Ref<Dict>(std::move(dict));
}

Value Machine::function(std::string name, int depth, std::function<Value(Machine&, const Arguments&)> call) {
  allocate(128);
  require(depth < limits_.value_nesting, "functions are nested deeper than {}", limits_.value_nesting);
  return std::make_shared<const Function>(Function{std::move(name), std::move(call), depth + 1});
}

Value Machine::undefined(std::string what) {
  allocate(64 + what.size());
  return Undefined{std::make_shared<const std::string>(std::move(what))};
}

Namespace* Machine::make_namespace() {
  allocate(64);
  return &namespaces_.emplace_back();
}

std::vector<Value> Machine::items_of(const Value& value) {
  std::vector<Value> items;
  if (const List* list = value.list()) {
    spend(list->items.size());
    if (list->kind != List::Kind::generator) return list->items;
    if (!std::exchange(list->is_spent, true)) items = list->items;
  } else if (const Dict* dict = value.dict()) {
    spend(dict->items.size());
    for (const auto& [key, unused] : dict->items) items.push_back(key);
  } else if (const Text* text = value.text()) {
    allocate(text->size() * sizeof(size_t));
    const std::vector<size_t> starts = character_starts(text->bytes);
    for (size_t i = 0; i + 1 < starts.size(); ++i) {
      Text character;
      character.append_part(*text, starts[i], starts[i + 1] - starts[i]);
      items.push_back(this->text(std::move(character)));
    }
  } else if (!value.is<Undefined>()) {
    fail("expected something to iterate over, got {}", kind_name(value));
  }
  return items;
}

Text Machine::shown(const Value& value) {
  if (const Text* text = value.text()) {
    spend(text->size() / 32);
    return *text;
  }
  if (value.is<Undefined>()) return {};
  return represent(*this, value);
}

Value Machine::attribute(const Value& object, const std::string& name) {
  require_defined(object);
  spend(name.size() / 32);
  // A method hides a key of the same name, as in Python.
  if (Method method = find_method(*this, object, name); method.is_known) return method.bound;
  if (const Dict* dict = object.dict())
    if (const Value* found = dict->find("s" + name)) return *found;
  if (const Namespace* space = object.space())
    if (const auto found = space->fields.find(name); found != space->fields.end()) return found->second;
  return undefined(fmt::format("'{}' of {}", replace_invalid(name), kind_name(object)));
}

Value Machine::item(const Value& object, const Value& place) {
  require_defined(object);
  int64_t i;
  if (const Dict* dict = object.dict()) {
    std::string key;
    require(dict_key(place, key) || place.list(), "{} cannot be the key of a mapping", kind_name(place));
    spend(key.size() / 32);
    if (const Value* found = dict->find(key)) return *found;
  } else if (const List* list = object.list(); list && list->has_places() && as_integer(place, i)) {
    if (i < 0) i += int64_t(list->items.size());
    if (i >= 0 && i < int64_t(list->items.size())) return list->items[size_t(i)];
  } else if (const Text* text = object.text(); text && as_integer(place, i)) {
    spend(text->size() / 32);
    const int64_t length = int64_t(count_characters(text->bytes));
    if (i < 0) i += length;
    if (i >= 0 && i < length) {
      const size_t begin = character_place(text->bytes, size_t(i));
      return this->text(text->part(begin, decode_character(text->bytes, begin).length));
    }
  }
  if (const Text* name = place.text()) {
    if (const Method method = find_method(*this, object, name->bytes); method.is_known) return method.bound;
    if (object.space()) return attribute(object, name->bytes);
    return undefined(fmt::format("'{}' of {}", replace_invalid(name->bytes.substr(0, 100)), kind_name(object)));
  }
  return undefined(fmt::format("an element of {}", kind_name(object)));
}

Value Machine::call(const Value& callee, const Arguments& arguments) {
  require_defined(callee);
  const Function* function = callee.function();
  require(function != nullptr, "expected a function to call, got {}", kind_name(callee));
  const Level level(*this);
  return function->call(*this, arguments);
}

Value Machine::call_builtin(Builtin builtin, const char* kind, const std::string& name, const Value& input,
                            const Arguments& arguments) {
  require(builtin != nullptr, "there is no {} named '{}'", kind, name);
  const Level level(*this);
  spend_for(arguments);
  return builtin(*this, input, arguments);
}

std::vector<std::optional<Value>> bind(const Machine& machine, const Arguments& arguments,
                                       std::initializer_list<const char*> parameters, size_t required) {
  std::vector<std::optional<Value>> bound(parameters.size());
  machine.require(arguments.placed.size() <= bound.size(), "expected at most {} arguments, got {}", bound.size(),
                  arguments.placed.size());
  std::copy(arguments.placed.begin(), arguments.placed.end(), bound.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    machine.require(found != parameters.end(), "there is no argument '{}'", replace_invalid(name));
    auto& place = bound[size_t(found - parameters.begin())];
    machine.require(!place.has_value(), "the argument '{}' is given twice", name);
    place = value;
  }
  for (size_t i = 0; i < required; ++i)
    machine.require(bound[i].has_value(), "the argument '{}' is missing", *(parameters.begin() + ptrdiff_t(i)));
  return bound;
}

}  // namespace fude::jinja
