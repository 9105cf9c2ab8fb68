// The methods of strings, lists, mappings and loops.
//
// What changes its object is refused, as Jinja's immutable sandbox does it.
#include <algorithm>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/operators.h"
#include "text/unicode.h"

namespace fude::jinja {
namespace {

using Call = Value (*)(Machine&, const Value& self, const Arguments&);

const Text& need_text(const Machine& machine, const Value& value) {
  machine.require(value.text() != nullptr, "expected a string, got {}", kind_name(value));
  return *value.text();
}
int64_t need_integer(const Machine& machine, const Value& value) {
  int64_t out = 0;
  machine.require(as_integer(value, out), "expected an integer, got {}", kind_name(value));
  return out;
}
bool is_given(const std::optional<Value>& value) { return value && !value->is<None>(); }

Value strip(Machine& machine, const Value& self, const Arguments& arguments, bool left, bool right) {
  const Text& text = *self.text();
  const auto given = bind(machine, arguments, {"chars"});
  const std::string* characters = is_given(given[0]) ? &need_text(machine, *given[0]).bytes : nullptr;
  if (characters) machine.allocate(24 * characters->size());
  const Bounds bounds = strip_bounds(text.bytes, characters, left, right);
  return machine.text(text.part(bounds.begin, bounds.end - bounds.begin));
}

// At white space: the parts between runs of it, none of them empty.
void split_white(const Text& text, int64_t at_most, const std::function<void(Text)>& use) {
  for (size_t at = 0;; --at_most) {
    at += strip_bounds(std::string_view(text.bytes).substr(at), nullptr, true, false).begin;
    if (at >= text.size()) return;
    size_t end = at;
    while (end < text.size()) {
      const Character c = decode_character(text.bytes, end);
      if (at_most != 0 && is_white(c.code_point)) break;
      end += c.length;
    }
    use(text.part(at, end - at));
    at = end;
  }
}

void split_at(const Text& text, const std::string& mark, int64_t at_most, const std::function<void(Text)>& use) {
  size_t at = 0;
  for (size_t found; at_most-- != 0 && (found = find_first(text.bytes, mark, at)) != std::string::npos;
       at = found + mark.size())
    use(text.part(at, found - at));
  use(text.part(at));
}
// From the right: the last part comes first.
void split_back(const Text& text, const std::string& mark, int64_t at_most, const std::function<void(Text)>& use) {
  const std::string back(text.bytes.rbegin(), text.bytes.rend()), back_mark(mark.rbegin(), mark.rend());
  size_t at = 0;
  for (size_t found; at_most-- != 0 && (found = find_first(back, back_mark, at)) != std::string::npos;
       at = found + mark.size())
    use(text.part(text.size() - found, found - at));
  use(text.part(0, text.size() - at));
}

Value split(Machine& machine, const Value& self, const Arguments& arguments, bool from_right) {
  const auto given = bind(machine, arguments, {"sep", "maxsplit"});
  const int64_t at_most = std::max<int64_t>(given[1] ? need_integer(machine, *given[1]) : -1, -1);
  std::vector<Value> parts;
  const auto use = [&](Text part) { parts.push_back(machine.text(std::move(part))); };
  if (is_given(given[0])) {
    const Text& mark = need_text(machine, *given[0]);
    machine.require(mark.size() > 0, "the separator to split at is empty");
    (from_right ? split_back : split_at)(*self.text(), mark.bytes, at_most, use);
    if (from_right) std::reverse(parts.begin(), parts.end());
  } else {
    machine.require(!from_right || at_most < 0, "rsplit at white space with a limit is not supported");
    split_white(*self.text(), at_most, use);
  }
  return machine.list(std::move(parts));
}

Value partition(Machine& machine, const Value& self, const Arguments& arguments, bool from_right) {
  const Text& text = *self.text();
  const auto given = bind(machine, arguments, {"sep"}, 1);
  const Text& mark = need_text(machine, *given[0]);
  machine.require(mark.size() > 0, "the separator to split at is empty");
  const size_t found = from_right ? find_last(text.bytes, mark.bytes) : find_first(text.bytes, mark.bytes);
  std::vector<Text> parts(3);
  if (found == std::string::npos)
    parts[from_right ? 2 : 0] = text;
  else
    parts = {text.part(0, found), text.part(found, mark.size()), text.part(found + mark.size())};
  std::vector<Value> values;
  for (Text& part : parts) values.push_back(machine.text(std::move(part)));
  return machine.list(std::move(values), List::Kind::tuple);
}

Value begins(Machine& machine, const Value& self, const Arguments& arguments, bool at_end) {
  const auto given = bind(machine, arguments, {"prefix"}, 1);
  const std::string& text = self.text()->bytes;
  const auto matches = [&](const Value& value) {
    const Text& part = need_text(machine, value);
    machine.spend(1 + part.size() / 32);
    return at_end ? text.ends_with(part.bytes) : text.starts_with(part.bytes);
  };
  const List* list = given[0]->list();
  if (list && list->kind == List::Kind::tuple) return std::any_of(list->items.begin(), list->items.end(), matches);
  return matches(*given[0]);
}

// The place of a part, in characters; -1 if there is none.
int64_t place_of(Machine& machine, const Value& self, const Arguments& arguments, bool from_right) {
  const auto given = bind(machine, arguments, {"sub"}, 1);
  const Text& part = need_text(machine, *given[0]);
  const std::string& text = self.text()->bytes;
  const size_t found = from_right ? find_last(text, part.bytes) : find_first(text, part.bytes);
  if (found == std::string::npos) return -1;
  return int64_t(count_characters(std::string_view(text).substr(0, found)));
}
Value index_of(Machine& machine, const Value& self, const Arguments& arguments, bool from_right) {
  const int64_t place = place_of(machine, self, arguments, from_right);
  machine.require(place >= 0, "the part is not in the string");
  return place;
}

Value count_of(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"sub"}, 1);
  return int64_t(count_parts(self.text()->bytes, need_text(machine, *given[0]).bytes));
}

Value without(Machine& machine, const Value& self, const Arguments& arguments, bool at_end) {
  const Text& text = *self.text();
  const size_t size = need_text(machine, *bind(machine, arguments, {"affix"}, 1)[0]).size();
  if (!is_true(begins(machine, self, {arguments.placed, {}}, at_end))) return self;
  return machine.text(at_end ? text.part(0, text.size() - size) : text.part(size));
}

Value join(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"iterable"}, 1);
  Text out;
  bool is_first = true;
  for (const Value& item : machine.items_of(*given[0])) {
    machine.allocate(self.text()->size() + need_text(machine, item).size());
    if (!std::exchange(is_first, false)) out.append(*self.text());
    out.append(*item.text());
  }
  return machine.text(std::move(out));
}

// Whether there are characters and all of them are of these classes.
bool all_in(const Value& self, CharClasses classes) {
  const std::string& text = self.text()->bytes;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text, at);
    if (!(bit(class_of(c.code_point)) & classes)) return false;
    at += c.length;
  }
  return !text.empty();
}

Value replaced(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"old", "new", "count"}, 2);
  const Text &old = need_text(machine, *given[0]), &with = need_text(machine, *given[1]);
  return replaced_text(machine, *self.text(), old, with, given[2] ? need_integer(machine, *given[2]) : -1);
}

Value lines(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"keepends"});
  std::vector<Value> values;
  for_each_line(*self.text(), given[0] && is_true(*given[0]),
                [&](Text line) { values.push_back(machine.text(std::move(line))); });
  return machine.list(std::move(values));
}

template <Casing casing>
Value cased(Machine& machine, const Value& self, const Arguments& arguments) {
  bind(machine, arguments, {});
  return machine.text(change_case(*self.text(), casing));
}
template <bool left, bool right>
Value stripped(Machine& machine, const Value& self, const Arguments& arguments) {
  return strip(machine, self, arguments, left, right);
}
// The same for both directions.
template <Value (*method)(Machine&, const Value&, const Arguments&, bool), bool direction>
Value towards(Machine& machine, const Value& self, const Arguments& arguments) {
  return method(machine, self, arguments, direction);
}
template <CharClasses classes>
Value consists_of(Machine&, const Value& self) {
  return all_in(self, classes);
}

const std::map<std::string_view, Call>& text_methods() {
  static const std::map<std::string_view, Call> methods = {
      {"strip", stripped<true, true>},
      {"lstrip", stripped<true, false>},
      {"rstrip", stripped<false, true>},
      {"split", towards<split, false>},
      {"rsplit", towards<split, true>},
      {"partition", towards<partition, false>},
      {"rpartition", towards<partition, true>},
      {"splitlines", lines},
      {"startswith", towards<begins, false>},
      {"endswith", towards<begins, true>},
      {"removeprefix", towards<without, false>},
      {"removesuffix", towards<without, true>},
      {"index", towards<index_of, false>},
      {"rindex", towards<index_of, true>},
      {"find", [](Machine& m, const Value& self, const Arguments& a) { return Value(place_of(m, self, a, false)); }},
      {"rfind", [](Machine& m, const Value& self, const Arguments& a) { return Value(place_of(m, self, a, true)); }},
      {"count", count_of},
      {"replace", replaced},
      {"join", join},
      {"format", [](Machine& m, const Value& self, const Arguments& a) { return format_braces(m, *self.text(), a); }},
      {"upper", cased<Casing::upper>},
      {"lower", cased<Casing::lower>},
      {"title", cased<Casing::title>},
      {"capitalize", cased<Casing::capitalize>},
      {"isdigit", alone<consists_of<kNumbers>>},
      {"isnumeric", alone<consists_of<kNumbers>>},
      {"isalpha", alone<consists_of<kLetters>>},
      {"isalnum", alone<consists_of<kLetters | kNumbers>>},
      {"isspace", alone<consists_of<kSpaces>>},
  };
  return methods;
}

Value view(Machine& machine, const Value& self, List::Kind kind) {
  std::vector<Value> items;
  for (const auto& [key, value] : self.dict()->items) {
    if (kind == List::Kind::items)
      items.push_back(machine.list({key, value}, List::Kind::tuple));
    else
      items.push_back(kind == List::Kind::keys ? key : value);
  }
  return machine.list(std::move(items), kind);
}
template <List::Kind kind>
Value view_of(Machine& machine, const Value& self, const Arguments& arguments) {
  bind(machine, arguments, {});
  return view(machine, self, kind);
}

Value get(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"key", "default"}, 1);
  std::string key;
  machine.require(dict_key(*given[0], key), "{} cannot be the key of a mapping", kind_name(*given[0]));
  machine.spend(key.size() / 32);
  const Value* found = self.dict()->find(key);
  return found ? *found : given[1] ? *given[1] : Value(None{});
}

Value same(Machine& machine, const Value& self, const Arguments& arguments) {
  bind(machine, arguments, {});
  return self;
}

// Stands for a method that changes its object: never called, its name is undefined.
Value refused(Machine&, const Value&, const Arguments&) { return {}; }

const std::map<std::string_view, Call>& dict_methods() {
  static const std::map<std::string_view, Call> methods = {
      {"items", view_of<List::Kind::items>},
      {"keys", view_of<List::Kind::keys>},
      {"values", view_of<List::Kind::values>},
      {"get", get},
      {"copy", same},
      {"clear", refused},
      {"pop", refused},
      {"popitem", refused},
      {"setdefault", refused},
      {"update", refused},
  };
  return methods;
}

Value place_in(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"value"}, 1);
  const auto& items = self.list()->items;
  for (size_t i = 0; i < items.size(); ++i)
    if (equal(machine, items[i], *given[0])) return int64_t(i);
  machine.fail("the value is not in the list");
}
Value count_in(Machine& machine, const Value& self, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"value"}, 1);
  int64_t count = 0;
  for (const Value& item : self.list()->items) count += equal(machine, item, *given[0]);
  return count;
}

const std::map<std::string_view, Call>& list_methods() {
  static const std::map<std::string_view, Call> methods = {
      {"index", place_in}, {"count", count_in}, {"copy", same},       {"append", refused},
      {"clear", refused},  {"pop", refused},    {"reverse", refused}, {"insert", refused},
      {"sort", refused},   {"extend", refused}, {"remove", refused},
  };
  return methods;
}

Value cycle(Machine& machine, const Value& self, const Arguments& arguments) {
  machine.require(!arguments.placed.empty(), "loop.cycle needs something to go through");
  return arguments.placed[self.loop()->at % arguments.placed.size()];
}
Value changed(Machine& machine, const Value& self, const Arguments& arguments) {
  Loop& loop = *self.loop();
  const bool same =
      loop.has_changed &&
      std::equal(loop.last_changed.begin(), loop.last_changed.end(), arguments.placed.begin(), arguments.placed.end(),
                 [&](const Value& a, const Value& b) { return equal(machine, a, b); });
  machine.allocate(arguments.placed.size() * sizeof(Value));
  loop.last_changed = arguments.placed;
  loop.has_changed = true;
  return !same;
}

// The fields of `loop`.
Method loop_member(Machine& machine, const Value& object, const std::string& name) {
  const Loop& loop = *object.loop();
  const int64_t at = int64_t(loop.at), size = int64_t(loop.items.size());
  const auto number = [](int64_t value) { return Method{true, value}; };
  const auto neighbour = [&](int64_t i) { return Method{true, i >= 0 && i < size ? loop.items[size_t(i)] : Value()}; };
  if (name == "index") return number(at + 1);
  if (name == "index0") return number(at);
  if (name == "revindex") return number(size - at);
  if (name == "revindex0") return number(size - at - 1);
  if (name == "length") return number(size);
  if (name == "depth") return number(1);  // only recursive loops have more
  if (name == "depth0") return number(0);
  if (name == "first") return {true, at == 0};
  if (name == "last") return {true, at + 1 == size};
  if (name == "previtem") return neighbour(at - 1);
  if (name == "nextitem") return neighbour(at + 1);
  if (name == "cycle" || name == "changed") {
    const Call call = name == "cycle" ? cycle : changed;
    return {true, machine.function(name, 0, [=](Machine& m, const Arguments& a) { return call(m, object, a); })};
  }
  return {};
}

}  // namespace

Method find_method(Machine& machine, const Value& object, const std::string& name) {
  if (object.loop()) return loop_member(machine, object, name);
  const List* list = object.list();
  const bool is_list = list && (list->kind == List::Kind::list || list->kind == List::Kind::tuple);
  if (!object.text() && !object.dict() && !is_list) return {};
  const auto& methods = object.text() ? text_methods() : object.dict() ? dict_methods() : list_methods();
  const auto found = methods.find(name);
  if (found == methods.end()) return {};
  const Call call = found->second;
  if (call == refused) {
    return {true,
            machine.undefined(fmt::format("'{}' of {}, which a template may not change,", name, kind_name(object)))};
  }
  return {true, machine.function(name, depth_of(object), [=](Machine& m, const Arguments& arguments) {
            m.spend_for(object);
            m.spend_for(arguments);
            return call(m, object, arguments);
          })};
}

}  // namespace fude::jinja
