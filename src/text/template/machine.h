// Renders one conversation: walks the tree, keeps the variables, and counts what it costs.
//
// Everything that works on values gets the machine, for errors that know the line and for the limits: whoever does work
// that grows with its input says so with `spend`, and whoever makes a value with `allocate` (text(), list() and dict()
// do).
#pragma once

#include <deque>
#include <optional>

#include "base/error.h"
#include "text/template/limits.h"
#include "text/template/syntax.h"

namespace fude::jinja {

// The variables of a block, by number; what is not here is looked for in what is around it.
struct Scope {
  Scope* around = nullptr;
  std::map<int, Value> values;
  bool is_kept = false;  // a macro may look into it later
};

class Machine {
 public:
  Machine(const Program& program, const TemplateLimits& limits) : limits_(limits), program_(program) {}
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // The output, with `variables` as the outermost scope.
  Text run(std::map<int, Value> variables);

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(fmt::format("[chat_template:{}] {}", line_, fmt::format(format, std::forward<Args>(args)...)));
  }
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (!condition) [[unlikely]]
      fail(format, std::forward<Args>(args)...);
  }
  // Error if the value is undefined.
  void require_defined(const Value& value) const;

  void spend(uint64_t steps = 1) {
    steps_ += steps;
    if (steps_ > limits_.steps) [[unlikely]]
      fail("the template takes more than {} steps", limits_.steps);
  }
  // For the texts among the arguments of a built-in or method, which may read them.
  void spend_for(const Arguments& arguments) {
    for (const Value& value : arguments.placed) spend_for(value);
    for (const auto& [name, value] : arguments.named) spend_for(value);
  }
  void spend_for(const Value& value) {
    if (value.text()) spend(value.text()->size() / 8);
  }
  void allocate(uint64_t bytes) {
    if (bytes > limits_.value_bytes - allocated_) [[unlikely]]
      fail("the values of the template take more than {} bytes", limits_.value_bytes);
    allocated_ += bytes;
    spend(bytes / 32);
  }

  Value text(Text text);
  Value text(std::string_view bytes, bool is_trusted) { return this->text(Text(bytes, is_trusted)); }
  Value list(std::vector<Value> items, List::Kind kind = List::Kind::list);
  // A key that comes again replaces the value and keeps its place.
  Value dict(std::vector<std::pair<Value, Value>> items);
  Value function(std::string name, int depth, std::function<Value(Machine&, const Arguments&)> call);
  // `what` is undefined: "'x'".
  Value undefined(std::string what);
  Namespace* make_namespace();

  // The items of what can be iterated; Error for the rest. A generator is then spent.
  std::vector<Value> items_of(const Value& value);
  // Python's str().
  Text shown(const Value& value);

  Value attribute(const Value& object, const std::string& name);
  Value item(const Value& object, const Value& place);
  Value call(const Value& callee, const Arguments& arguments);
  Value call_builtin(Builtin builtin, const char* kind, const std::string& name, const Value& input,
                     const Arguments& arguments);

 private:
  enum class Flow { onward, next_round, stop };

  // Counts a level of evaluation while it lives.
  class Level {
   public:
    explicit Level(Machine& machine) : machine_(machine) {
      machine.spend();
      if (++machine.level_ > machine.limits_.evaluation_depth)
        machine.fail("the evaluation is nested deeper than {}", machine.limits_.evaluation_depth);
    }
    ~Level() { --machine_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Machine& machine_;
  };

  Value evaluate(const Expression& node);
  Value evaluate_filter(const Expression& node, const Value& input);
  Value compare(const Expression& node);
  Value slice(const Expression& node);
  Value look_up(int name);
  Arguments evaluate_arguments(const std::vector<Argument>& arguments);

  Flow execute(const Body& body);
  Flow execute(const Statement& statement);
  Flow execute_loop(const Statement& statement);
  void execute_call(const Statement& statement);
  Flow captured(const Body& body, Value& out);
  void assign(const Target& target, const Value& value);
  void write(const Text& text);
  Value make_macro(const MacroBody& macro);
  Value call_macro(const MacroBody& macro, Scope* around, const Arguments& arguments);
  Scope* make_scope(Scope* around);

  const TemplateLimits& limits_;
  const Program& program_;
  int line_ = 1;
  int level_ = 0;
  uint64_t steps_ = 0, allocated_ = 0;
  std::deque<Namespace> namespaces_;
  std::deque<Loop> loops_;
  std::deque<Scope> scopes_;
  Scope* scope_ = nullptr;
  Text* output_ = nullptr;
};

// Values of the parameters, by place or by name; nothing for one that is not given. Error for anything else that is
// given, and if one of the first `required` is missing.
std::vector<std::optional<Value>> bind(const Machine& machine, const Arguments& arguments,
                                       std::initializer_list<const char*> parameters, size_t required = 0);

// A builtin without arguments: Error if it is given some.
template <Value (*builtin)(Machine&, const Value& input)>
Value alone(Machine& machine, const Value& input, const Arguments& arguments) {
  bind(machine, arguments, {});
  return builtin(machine, input);
}

}  // namespace fude::jinja
