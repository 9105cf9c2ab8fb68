// The functions that every template finds: range, namespace, dict, raise_exception and strftime_now.
#include <ctime>

#include "text/template/builtins.h"
#include "text/template/machine.h"
#include "text/unicode.h"

namespace fude::jinja {
namespace {

constexpr int64_t kLongestRange = 100'000;  // Jinja's sandbox has the same

Value range(Machine& machine, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"start", "stop", "step"}, 1);
  int64_t numbers[3] = {0, 0, 1};
  for (size_t i = 0; i < 3; ++i)
    machine.require(!given[i] || as_integer(*given[i], numbers[i]), "range takes integers");
  auto [begin, end, step] = numbers;
  if (!given[1]) end = std::exchange(begin, 0);
  machine.require(step != 0, "the step of a range is 0");
  std::vector<Value> items;
  for (__int128 i = begin; step > 0 ? i < end : i > end; i += step) {
    machine.require(int64_t(items.size()) < kLongestRange, "a range is longer than {}", kLongestRange);
    items.push_back(int64_t(i));
  }
  return machine.list(std::move(items), List::Kind::range);
}

// The pairs that dict() and namespace() are made of: a mapping, or pairs, and named arguments.
std::vector<std::pair<Value, Value>> pairs_of(Machine& machine, const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> pairs;
  machine.require(arguments.placed.size() <= 1, "expected at most one mapping");
  for (const Value& given : arguments.placed) {
    if (const Dict* dict = given.dict()) {
      pairs = dict->items;
      continue;
    }
    for (const Value& pair : machine.items_of(given)) {
      const std::vector<Value> parts = machine.items_of(pair);
      machine.require(parts.size() == 2, "expected pairs of key and value");
      pairs.emplace_back(parts[0], parts[1]);
    }
  }
  // A name may come from anywhere: dict(**message).
  for (const auto& [name, value] : arguments.named) pairs.emplace_back(machine.text(name, false), value);
  return pairs;
}

Value name_space(Machine& machine, const Arguments& arguments) {
  Namespace* space = machine.make_namespace();
  for (auto& [key, value] : pairs_of(machine, arguments)) {
    machine.require(key.text() && !key.text()->bytes.starts_with('_'), "this cannot be the name of a field");
    machine.allocate(64 + key.text()->size());
    space->fields[key.text()->bytes] = std::move(value);
  }
  return space;
}

Value raise_exception(Machine& machine, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"message"}, 1);
  machine.fail("the template says: {}", replace_invalid(machine.shown(*given[0]).bytes));
}

Value strftime_now(Machine& machine, const Arguments& arguments) {
  const auto given = bind(machine, arguments, {"format"}, 1);
  machine.require(given[0]->text() && given[0]->text()->size() <= 1000,
                  "expected a short string as format of the time");
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::string out(4096, '\0');
  const std::string format = given[0]->text()->bytes + ".";  // so that nothing is no failure
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &parts));
  machine.require(!out.empty(), "the format of the time asks for too much");
  out.pop_back();
  return machine.text(out, given[0]->text()->is_trusted());
}

}  // namespace

Value find_function(std::string_view name) {
  static const auto make = [](const char* title, Value (*call)(Machine&, const Arguments&)) {
    return Value(std::make_shared<const Function>(Function{title, call}));
  };
  static const std::map<std::string_view, Value> functions = {
      {"range", make("range", range)},
      {"namespace", make("namespace", name_space)},
      {"dict", make("dict", [](Machine& m, const Arguments& a) { return m.dict(pairs_of(m, a)); })},
      {"raise_exception", make("raise_exception", raise_exception)},
      {"strftime_now", make("strftime_now", strftime_now)},
  };
  const auto found = functions.find(name);
  return found == functions.end() ? Value() : found->second;
}

}  // namespace fude::jinja
