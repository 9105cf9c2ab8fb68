// Statements to output.
#include <algorithm>

#include "text/template/machine.h"

namespace fude::jinja {

Text Machine::run(std::map<int, Value> variables) {
  Scope* outermost = make_scope(nullptr);
  outermost->values = std::move(variables);
  scope_ = make_scope(outermost);
  Text output;
  output_ = &output;
  execute(program_.body);
  return output;
}

void Machine::write(const Text& text) {
  require(text.size() <= limits_.output_bytes && output_->size() <= limits_.output_bytes - text.size(),
          "the output is longer than {} bytes", limits_.output_bytes);
  spend(text.size() / 32);
  output_->append(text);
}

Scope* Machine::make_scope(Scope* around) {
  allocate(sizeof(Scope));
  Scope& scope = scopes_.emplace_back();
  scope.around = around;
  return &scope;
}

Machine::Flow Machine::execute(const Body& body) {
  for (const auto& statement : body)
    if (const Flow flow = execute(*statement); flow != Flow::onward) return flow;
  return Flow::onward;
}

Machine::Flow Machine::execute(const Statement& statement) {
  using Kind = Statement::Kind;
  const Level level(*this);
  line_ = statement.line;
  switch (statement.kind) {
    case Kind::text:
      write(*statement.constant.text());
      break;
    case Kind::print:
      write(shown(evaluate(*statement.value)));
      break;
    case Kind::condition:
      for (const Statement::Branch& branch : statement.branches)
        if (!branch.condition || is_true(evaluate(*branch.condition))) return execute(branch.body);
      break;
    case Kind::loop:
      return execute_loop(statement);
    case Kind::set:
      assign(statement.target, evaluate(*statement.value));
      break;
    case Kind::capture:
    case Kind::filter: {
      Value inside;
      const Flow flow = captured(statement.body, inside);
      if (flow != Flow::onward) return flow;
      // Filters of a block stand one in the other; the innermost has no input of its own.
      std::vector<const Expression*> filters;
      for (const Expression* filter = statement.value.get(); filter != nullptr; filter = filter->parts[0].get())
        filters.push_back(filter);
      for (; !filters.empty(); filters.pop_back()) inside = evaluate_filter(*filters.back(), inside);
      if (statement.kind == Kind::capture)
        assign(statement.target, inside);
      else
        write(shown(inside));
      break;
    }
    case Kind::macro:
      scope_->values[statement.name] = make_macro(statement.macro);
      break;
    case Kind::call:
      execute_call(statement);
      break;
    case Kind::scope: {
      Scope* const around = scope_;
      Scope* const inside = make_scope(around);
      for (const auto& [target, value] : statement.assignments) {
        const Value given = evaluate(*value);
        scope_ = inside;
        assign(target, given);
        scope_ = around;
      }
      scope_ = inside;
      const Flow flow = execute(statement.body);
      scope_ = around;
      return flow;
    }
    case Kind::stop_loop:
      return Flow::stop;
    case Kind::next_round:
      return Flow::next_round;
  }
  return Flow::onward;
}

Machine::Flow Machine::execute_loop(const Statement& statement) {
  Scope* const around = scope_;
  std::vector<Value> items = items_of(evaluate(*statement.value));
  allocate(sizeof(Loop) + items.size() * sizeof(Value));
  scope_ = make_scope(around);
  if (statement.filter) {
    std::vector<Value> kept;
    for (Value& item : items) {
      assign(statement.target, item);
      if (is_true(evaluate(*statement.filter))) kept.push_back(std::move(item));
    }
    items = std::move(kept);
    scope_->values.clear();
  }
  Flow flow = Flow::onward;
  bool any_ended = false;  // as in Jinja, `else` is also for a loop whose every round was cut short
  Loop& loop = loops_.emplace_back();
  loop.items = std::move(items);
  for (; loop.at < loop.items.size() && flow != Flow::stop; ++loop.at) {
    if (scope_->is_kept) scope_ = make_scope(around);
    scope_->values.clear();
    assign(statement.target, loop.items[loop.at]);
    scope_->values[program_.loop] = &loop;
    flow = execute(statement.body);
    any_ended = any_ended || flow == Flow::onward;
  }
  scope_ = make_scope(around);
  flow = any_ended ? Flow::onward : execute(statement.otherwise);
  scope_ = around;
  return flow;
}

void Machine::execute_call(const Statement& statement) {
  const Expression& call_node = *statement.value;
  const Value callee = evaluate(*call_node.parts[0]);
  Arguments arguments = evaluate_arguments(call_node.arguments);
  arguments.named.emplace_back("caller", make_macro(statement.macro));
  write(shown(call(callee, arguments)));
}

// The output of a body as a value, with variables of its own.
Machine::Flow Machine::captured(const Body& body, Value& out) {
  Text inside;
  Text* const output = std::exchange(output_, &inside);
  Scope* const around = scope_;
  scope_ = make_scope(around);
  const Flow flow = execute(body);
  scope_ = around;
  output_ = output;
  out = text(std::move(inside));
  return flow;
}

void Machine::assign(const Target& target, const Value& value) {
  if (!target.parts.empty()) {
    const std::vector<Value> items = items_of(value);
    require(items.size() == target.parts.size(), "expected {} values to assign, got {}", target.parts.size(),
            items.size());
    for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
  } else if (target.field.empty()) {
    allocate(64 + sizeof(Value));
    scope_->values[target.name] = value;
  } else {
    Namespace* const space = look_up(target.name).space();
    require(space != nullptr, "only fields of a namespace can be assigned to; '{}' is none",
            program_.names[size_t(target.name)]);
    require(target.field[0] != '_', "a field of a namespace may not begin with '_': '{}'", target.field);
    allocate(64 + target.field.size());
    space->fields[target.field] = value;
  }
}

Value Machine::make_macro(const MacroBody& macro) {
  Scope* const around = scope_;
  for (Scope* scope = around; scope != nullptr && !scope->is_kept; scope = scope->around) scope->is_kept = true;
  return function(macro.title, 0, [&macro, around](Machine& machine, const Arguments& arguments) {
    return machine.call_macro(macro, around, arguments);
  });
}

Value Machine::call_macro(const MacroBody& macro, Scope* around, const Arguments& arguments) {
  Scope* const inside = make_scope(around);
  const size_t count = macro.parameters.size();
  spend(count * (1 + arguments.named.size()));
  allocate(count * (64 + sizeof(Value)));
  for (size_t i = 0; i < std::min(count, arguments.placed.size()); ++i)
    inside->values[macro.parameters[i].name] = arguments.placed[i];

  std::vector<Value> rest;
  if (arguments.placed.size() > count) rest.assign(arguments.placed.begin() + ptrdiff_t(count), arguments.placed.end());
  require(rest.empty() || macro.uses_varargs, "the macro '{}' takes {} arguments, got {}", macro.title, count,
          arguments.placed.size());
  std::vector<std::pair<Value, Value>> named_rest;
  Value caller;
  for (const auto& argument : arguments.named) {
    const std::string& name = argument.first;
    const Value& value = argument.second;
    const auto is_it = [&](const Parameter& p) { return program_.names[size_t(p.name)] == name; };
    const auto found = std::find_if(macro.parameters.begin(), macro.parameters.end(), is_it);
    if (found != macro.parameters.end() && !inside->values.contains(found->name))
      inside->values[found->name] = value;
    else if (found == macro.parameters.end() && name == "caller" && macro.uses_caller)
      caller = value;
    else if (found == macro.parameters.end() && macro.uses_kwargs)
      named_rest.emplace_back(text(name, false), value);
    else
      fail("the macro '{}' cannot take the argument '{}'", macro.title, name);
  }
  const bool takes_caller = std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                        [&](const Parameter& p) { return p.name == program_.caller; });
  if (macro.uses_caller && !takes_caller) inside->values[program_.caller] = caller;
  if (macro.uses_varargs) inside->values[program_.varargs] = list(std::move(rest), List::Kind::tuple);
  if (macro.uses_kwargs) inside->values[program_.kwargs] = dict(std::move(named_rest));

  Scope* const caller_scope = std::exchange(scope_, inside);
  const int line = line_;
  for (const Parameter& parameter : macro.parameters)
    if (!inside->values.contains(parameter.name))
      inside->values[parameter.name] = parameter.otherwise ? evaluate(*parameter.otherwise) : Value();
  Text output;
  Text* const around_output = std::exchange(output_, &output);
  execute(macro.body);
  output_ = around_output;
  scope_ = caller_scope;
  line_ = line;
  return text(std::move(output));
}

}  // namespace fude::jinja
