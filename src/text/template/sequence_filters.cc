#include "text/template/sequence_filters.h"

#include <algorithm>
#include <set>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/template/operators.h"

namespace fude::jinja {
namespace {

// What "a.b.0" means for an item: its field a, of that b, of that the first.
class Getter {
 public:
  Getter(Machine& machine, const Value& path) : machine_(machine) {
    if (path.is<None>() || path.is<Undefined>()) return;
    if (!path.text()) {
      parts_.push_back(path);
      return;
    }
    const std::string& spelled = path.text()->bytes;
    for (size_t at = 0; at <= spelled.size();) {
      const size_t end = std::min(spelled.find('.', at), spelled.size());
      const std::string part = spelled.substr(at, end - at);
      const bool is_number =
          !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
      parts_.push_back(is_number ? Value(int64_t(std::stoll(part))) : machine.text(part, true));
      at = end + 1;
    }
  }

  Value operator()(Value value, const Value* otherwise = nullptr) const {
    for (const Value& part : parts_) {
      value = machine_.item(value, part);
      if (otherwise && value.is<Undefined>()) value = *otherwise;
    }
    return value;
  }

 private:
  Machine& machine_;
  std::vector<Value> parts_;
};

Value without_case(Machine& machine, const Value& value, bool case_sensitive) {
  return case_sensitive || !value.text() ? value : machine.text(change_case(*value.text(), Casing::lower));
}
bool flag(const std::optional<Value>& value) { return value && is_true(*value); }

Value join_items(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"d", "attribute"});
  const Getter get(machine, given[1].value_or(Value()));
  const Text between = given[0] ? machine.shown(*given[0]) : Text();
  Text out;
  bool is_first = true;
  for (const Value& item : machine.items_of(input)) {
    if (!std::exchange(is_first, false)) out.append(between);
    const Text part = machine.shown(get(item));
    machine.allocate(between.size() + part.size());
    out.append(part);
  }
  return machine.text(std::move(out));
}

Value first(Machine& machine, const Value& input) {
  const std::vector<Value> items = machine.items_of(input);
  return items.empty() ? Value() : items.front();
}

Value last(Machine& machine, const Value& input) {
  const List* list = input.list();
  machine.require(!list || list->kind != List::Kind::generator, "a generator has no last item");
  const std::vector<Value> items = machine.items_of(input);
  return items.empty() ? Value() : items.back();
}

Value as_list(Machine& machine, const Value& input) { return machine.list(machine.items_of(input)); }

Value items(Machine& machine, const Value& input) {
  std::vector<Value> pairs;
  machine.require(input.dict() || input.is<Undefined>(), "expected a mapping, got {}", kind_name(input));
  if (input.dict())
    for (const auto& [key, value] : input.dict()->items) pairs.push_back(machine.list({key, value}, List::Kind::tuple));
  return machine.list(std::move(pairs), List::Kind::generator);
}

Value reverse(Machine& machine, const Value& input) {
  if (input.text()) return slice_of(machine, input, {}, {}, -1);
  std::vector<Value> all = machine.items_of(input);
  std::reverse(all.begin(), all.end());
  const List* list = input.list();
  return machine.list(std::move(all),
                      list && list->kind == List::Kind::generator ? List::Kind::list : List::Kind::generator);
}

// Sorted by keys, and the items in the order of theirs. Equal ones keep their order, in reverse too.
std::vector<std::pair<Value, Value>> sorted(Machine& machine, std::vector<std::pair<Value, Value>> keyed,
                                            bool reverse) {
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::stable_sort(keyed.begin(), keyed.end(),
                   [&](const auto& a, const auto& b) { return less(machine, a.first, b.first); });
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  return keyed;
}

Value dictsort(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = given[1] ? machine.shown(*given[1]).bytes : "key";
  machine.require(by == "key" || by == "value", "dictsort goes by key or value, got '{}'", by);
  machine.require(input.dict() != nullptr, "expected a mapping, got {}", kind_name(input));
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : input.dict()->items)
    keyed.emplace_back(without_case(machine, by == "key" ? key : value, flag(given[0])),
                       machine.list({key, value}, List::Kind::tuple));
  std::vector<Value> out;
  for (auto& [key, item] : sorted(machine, std::move(keyed), flag(given[2]))) out.push_back(std::move(item));
  return machine.list(std::move(out));
}

Value sort(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"reverse", "case_sensitive", "attribute"});
  // "a,b": by a, then by b.
  std::vector<Getter> getters;
  const Value attribute = given[2].value_or(Value());
  if (attribute.text()) {
    std::string_view rest = attribute.text()->bytes;
    while (true) {
      const size_t comma = rest.find(',');
      getters.emplace_back(machine, machine.text(rest.substr(0, comma), true));
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  } else {
    getters.emplace_back(machine, attribute);
  }
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : machine.items_of(input)) {
    std::vector<Value> keys;
    for (const Getter& get : getters) keys.push_back(without_case(machine, get(item), flag(given[1])));
    keyed.emplace_back(machine.list(std::move(keys)), item);
  }
  std::vector<Value> out;
  for (auto& [key, item] : sorted(machine, std::move(keyed), flag(given[0]))) out.push_back(std::move(item));
  return machine.list(std::move(out));
}

Value groupby(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"attribute", "default", "case_sensitive"}, 1);
  const Getter get(machine, *given[0]);
  const auto key_of = [&](const Value& item) { return get(item, given[1] ? &*given[1] : nullptr); };
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : machine.items_of(input))
    keyed.emplace_back(without_case(machine, key_of(item), flag(given[2])), item);
  keyed = sorted(machine, std::move(keyed), false);
  std::vector<Value> groups;
  for (size_t i = 0; i < keyed.size();) {
    const size_t begin = i;
    std::vector<Value> group;
    for (; i < keyed.size() && equal(machine, keyed[i].first, keyed[begin].first); ++i)
      group.push_back(keyed[i].second);
    if (i == begin) group.push_back(keyed[i++].second);  // not equal to itself
    groups.push_back(machine.list({key_of(keyed[begin].second), machine.list(std::move(group))}, List::Kind::tuple));
  }
  return machine.list(std::move(groups));
}

Value unique(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"case_sensitive", "attribute"});
  const Getter get(machine, given[1].value_or(Value()));
  std::set<std::string> seen;
  std::vector<Value> out;
  for (const Value& item : machine.items_of(input)) {
    std::string key;
    const Value value = without_case(machine, get(item), flag(given[0]));
    machine.require(dict_key(value, key), "{} cannot be compared by unique", kind_name(value));
    machine.allocate(key.size());
    if (seen.insert(std::move(key)).second) out.push_back(item);
  }
  return machine.list(std::move(out), List::Kind::generator);
}

Value extreme(Machine& machine, const Value& input, const Arguments& arguments, bool largest) {
  const auto given = bind(machine, arguments, {"case_sensitive", "attribute"});
  const Getter get(machine, given[1].value_or(Value()));
  Value best, best_key;
  bool is_first = true;
  for (const Value& item : machine.items_of(input)) {
    Value key = without_case(machine, get(item), flag(given[0]));
    if (!is_first && !(largest ? less(machine, best_key, key) : less(machine, key, best_key))) continue;
    is_first = false;
    best = item;
    best_key = std::move(key);
  }
  return best;
}
Value smallest(Machine& machine, const Value& input, const Arguments& a) { return extreme(machine, input, a, false); }
Value largest(Machine& machine, const Value& input, const Arguments& a) { return extreme(machine, input, a, true); }

Value sum(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"attribute", "start"});
  const Getter get(machine, given[0].value_or(Value()));
  Value total = given[1].value_or(Value(int64_t(0)));
  machine.require(!total.text(), "strings cannot be summed");
  for (const Value& item : machine.items_of(input)) total = calculate(machine, "+", total, get(item));
  return total;
}

Value batch(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"linecount", "fill_with"}, 1);
  int64_t size = 0;
  machine.require(as_integer(*given[0], size) && size > 0 && size < 1'000'000, "expected a size of batches");
  std::vector<Value> out, row;
  for (const Value& item : machine.items_of(input)) {
    if (int64_t(row.size()) == size) out.push_back(machine.list(std::exchange(row, {})));
    row.push_back(item);
  }
  if (!row.empty()) {
    if (given[1] && !given[1]->is<None>()) row.resize(size_t(size), *given[1]);
    out.push_back(machine.list(std::move(row)));
  }
  return machine.list(std::move(out), List::Kind::generator);
}

Value attribute(Machine& machine, const Value& input, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"name"}, 1);
  if (!given[0]->text() || input.dict()) {
    const Method method = find_method(machine, input, machine.shown(*given[0]).bytes);
    return method.is_known ? method.bound : Value();
  }
  return machine.attribute(input, given[0]->text()->bytes);
}

// The name of a filter or test at placed[at], and the arguments behind it.
std::string called(Machine& machine, const Arguments& arguments, size_t at, Arguments& rest) {
  const Text* name = arguments.placed[at].text();
  machine.require(name != nullptr, "expected the name of a filter or test, got {}", kind_name(arguments.placed[at]));
  rest.placed.assign(arguments.placed.begin() + ptrdiff_t(at) + 1, arguments.placed.end());
  rest.named = arguments.named;
  return name->bytes;
}

Value map(Machine& machine, const Value& input, const Arguments& arguments) {
  std::vector<Value> out;
  if (!is_true(input)) return machine.list({}, List::Kind::generator);
  if (arguments.placed.empty()) {
    const auto given = bind(machine, arguments, {"attribute", "default"}, 1);
    const Getter get(machine, *given[0]);
    const bool has_default = given[1] && !given[1]->is<None>();
    for (const Value& item : machine.items_of(input)) out.push_back(get(item, has_default ? &*given[1] : nullptr));
  } else {
    Arguments rest;
    const std::string name = called(machine, arguments, 0, rest);
    const Builtin filter = find_filter(name);
    for (const Value& item : machine.items_of(input))
      out.push_back(machine.call_builtin(filter, "filter", name, item, rest));
  }
  return machine.list(std::move(out), List::Kind::generator);
}

// select and reject, selectattr and rejectattr: items that pass a test, or do not; without a test those that are true.
template <bool wanted, bool by_attribute>
Value select(Machine& machine, const Value& input, const Arguments& arguments) {
  std::vector<Value> out;
  if (!is_true(input)) return machine.list({}, List::Kind::generator);
  machine.require(!by_attribute || !arguments.placed.empty(), "the attribute to select by is missing");
  const Getter get(machine, by_attribute ? arguments.placed[0] : Value());
  Arguments rest;
  const bool has_test = arguments.placed.size() > by_attribute;
  const std::string name = has_test ? called(machine, arguments, by_attribute, rest) : "";
  const Builtin test = find_test(name);
  for (const Value& item : machine.items_of(input)) {
    const Value value = get(item);
    if (is_true(has_test ? machine.call_builtin(test, "test", name, value, rest) : value) == wanted)
      out.push_back(item);
  }
  return machine.list(std::move(out), List::Kind::generator);
}

}  // namespace

void add_sequence_filters(std::map<std::string_view, Builtin>& filters) {
  filters.insert({
      {"join", join_items},
      {"first", alone<first>},
      {"last", alone<last>},
      {"list", alone<as_list>},
      {"items", alone<items>},
      {"reverse", alone<reverse>},
      {"dictsort", dictsort},
      {"sort", sort},
      {"groupby", groupby},
      {"unique", unique},
      {"min", smallest},
      {"max", largest},
      {"sum", sum},
      {"batch", batch},
      {"attr", attribute},
      {"map", map},
      {"select", select<true, false>},
      {"reject", select<false, false>},
      {"selectattr", select<true, true>},
      {"rejectattr", select<false, true>},
  });
}

}  // namespace fude::jinja
