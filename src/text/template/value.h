// The values of a template: Python's, as far as templates see them.
//
// Texts, lists and dicts never change once they are made, so values share them. Only namespaces and loops change; the
// machine owns those, values only point to them, and nothing can own itself in a circle. Depth is bounded when a
// list or dict is made, so whatever walks over a value may recurse.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/template/text.h"

namespace fude::jinja {

class Machine;
struct Arguments;
struct List;
struct Dict;
struct Function;
struct Namespace;
struct Loop;

template <class T>
using Ref = std::shared_ptr<const T>;

struct Undefined {
  Ref<std::string> why;  // what is undefined; may be null
};
struct None {};

class Value {
  using Data = std::variant<Undefined, None, bool, int64_t, double, Ref<Text>, Ref<List>, Ref<Dict>, Ref<Function>,
                            Namespace*, Loop*>;
  template <class T, class Variant>
  struct IsIn;
  template <class T, class... Kinds>
  struct IsIn<T, std::variant<Kinds...>> : std::bool_constant<(std::is_same_v<T, Kinds> || ...)> {};

 public:
  Value() = default;  // undefined
  // Exactly the kinds above: no pointer becomes a bool by accident.
  template <class T>
  requires IsIn<T, Data>::value Value(T value) : data_(std::move(value)) {}

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  template <class T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  const Text* text() const { return reach<Text>(); }
  const List* list() const { return reach<List>(); }
  const Dict* dict() const { return reach<Dict>(); }
  const Function* function() const { return reach<Function>(); }
  Namespace* space() const { return is<Namespace*>() ? std::get<Namespace*>(data_) : nullptr; }
  Loop* loop() const { return is<Loop*>() ? std::get<Loop*>(data_) : nullptr; }

 private:
  template <class T>
  const T* reach() const {
    const auto* held = std::get_if<Ref<T>>(&data_);
    return held == nullptr ? nullptr : held->get();
  }
  Data data_;
};

struct List {
  // A generator is what lazy filters return: true, without a length, and empty the second time.
  enum class Kind { list, tuple, range, keys, values, items, generator };
  Kind kind = Kind::list;
  std::vector<Value> items;
  int depth = 1;
  mutable bool is_spent = false;
  bool has_places() const { return kind == Kind::list || kind == Kind::tuple || kind == Kind::range; }
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in order of insertion
  std::map<std::string, size_t> places;        // by dict_key
  int depth = 1;
  const Value* find(const std::string& key) const {
    const auto found = places.find(key);
    return found == places.end() ? nullptr : &items[found->second].second;
  }
};

struct Function {
  std::string name;
  std::function<Value(Machine&, const Arguments&)> call;
  int depth = 1;
};

struct Namespace {
  std::map<std::string, Value> fields;
};

struct Loop {
  std::vector<Value> items;
  size_t at = 0;
  std::vector<Value> last_changed;
  bool has_changed = false;
};

// What a call gives: by place and by name.
struct Arguments {
  std::vector<Value> placed;
  std::vector<std::pair<std::string, Value>> named;
};

bool is_true(const Value& value);
int depth_of(const Value& value);
// "a string", for messages.
const char* kind_name(const Value& value);
// The same for keys that Python holds equal (1, 1.0 and True); of texts their bytes. Nothing for what has no hash.
bool dict_key(const Value& value, std::string& key);
// bool and int; any number.
bool as_integer(const Value& value, int64_t& out);
bool as_number(const Value& value, double& out);

}  // namespace fude::jinja
