#include "infer/grammar/expression.h"

#include <algorithm>

#include "base/error.h"

namespace fude::grammar {
namespace {

ExpressionPtr finish_expression(Expression expression) {
  for (const ExpressionPtr& part : expression.parts) {
    expression.is_regular &= part->is_regular;
    expression.is_plain &= part->is_plain;
    expression.has_anchor |= part->has_anchor;
    expression.depth = std::max(expression.depth, part->depth + 1);
  }
  require(expression.depth <= kDeepestExpression, "[grammar] expected an expression nested at most {} deep",
          kDeepestExpression);
  return std::make_shared<const Expression>(std::move(expression));
}

}  // namespace

ExpressionPtr byte_range(uint8_t low, uint8_t high) {
  return finish_expression({.kind = Expression::Kind::bytes, .low = low, .high = high});
}

ExpressionPtr literal(std::string_view bytes) {
  static const std::vector<ExpressionPtr> of_byte = [] {
    std::vector<ExpressionPtr> all;
    for (int byte = 0; byte < 256; ++byte) all.push_back(byte_range(uint8_t(byte), uint8_t(byte)));
    return all;
  }();
  std::vector<ExpressionPtr> parts;
  for (const char byte : bytes) parts.push_back(of_byte[uint8_t(byte)]);
  return sequence(std::move(parts));
}

ExpressionPtr sequence(std::vector<ExpressionPtr> parts) {
  if (parts.size() == 1) return parts[0];
  return finish_expression({.kind = Expression::Kind::sequence, .parts = std::move(parts)});
}

ExpressionPtr choice(std::vector<ExpressionPtr> parts) {
  if (parts.size() == 1) return parts[0];
  return finish_expression({.kind = Expression::Kind::choice, .parts = std::move(parts)});
}

ExpressionPtr repeat(ExpressionPtr part, int32_t minimum, int32_t maximum) {
  require(minimum >= 0 && (maximum == kUnbounded || maximum >= minimum),
          "[grammar] expected a repetition with its bounds in order, got {{{},{}}}", minimum, maximum);
  return finish_expression(
      {.kind = Expression::Kind::repeat, .minimum = minimum, .maximum = maximum, .parts = {std::move(part)}});
}

ExpressionPtr counted(ExpressionPtr part, int32_t minimum, int32_t maximum) {
  Expression copy = *repeat(std::move(part), minimum, maximum);
  copy.is_counted = true;
  return std::make_shared<const Expression>(std::move(copy));
}

ExpressionPtr from_automaton(std::shared_ptr<const Automaton> automaton) {
  return finish_expression({.kind = Expression::Kind::automaton, .automaton = std::move(automaton)});
}

ExpressionPtr rule_reference(int32_t rule) {
  return finish_expression({.kind = Expression::Kind::rule, .rule = rule, .is_regular = false, .is_plain = false});
}

ExpressionPtr anchor(Expression::Kind begin_or_end) {
  return finish_expression({.kind = begin_or_end, .has_anchor = true});
}

ExpressionPtr apart(const ExpressionPtr& part) {
  Expression copy = *part;
  copy.is_apart = true;
  copy.is_plain = false;
  return std::make_shared<const Expression>(std::move(copy));
}

}  // namespace fude::grammar
