#include "infer/grammar/parser.h"

#include <algorithm>
#include <exception>

#include "base/error.h"

namespace fude::grammar {
namespace {

constexpr int32_t kTextEnd = -1;  // the position that the first rule returns to
constexpr int kFewEdges = 4;      // callers that are copied for a call that stands last
constexpr int kComparedEdges = 16;

}  // namespace

GrammarLexers::GrammarLexers(Grammar given) : grammar(std::move(given)), limits(grammar.limits) {
  lexers.reserve(grammar.lexemes.size());
  for (const Grammar::Lexeme& lexeme : grammar.lexemes) lexers.emplace_back(lexeme.automaton, limits);
}

bool Parser::PairSet::add(int32_t a, int32_t b) {
  if (count_ * 2 >= slots_.size()) {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    count_ = 0;
    for (const Slot& slot : old)
      if (slot.round == round_) add(int32_t(slot.pair >> 32), int32_t(slot.pair));
  }
  const uint64_t pair = uint64_t(uint32_t(a)) << 32 | uint32_t(b);
  size_t at = (pair * 0x9E3779B97F4A7C15u) >> 20;
  for (;; ++at) {
    Slot& slot = slots_[at & (slots_.size() - 1)];
    if (slot.round == round_ && slot.pair == pair) return false;
    if (slot.round == round_) continue;
    slot = {pair, round_};
    ++count_;
    return true;
  }
}

Parser::Parser(GrammarLexers& lexers)
    : lexers_(lexers), grammar_(lexers.grammar), called_(lexers.grammar.rules.size()) {
  open_frame();
  const int32_t root = add_node(grammar_.start, 0);
  called_[size_t(grammar_.start)] = {round_, root};
  add_edge(root, kTextEnd, kDead);
  begin_alternatives(root);
  drain();
  frames_.back().can_end = grammar_.rules[size_t(grammar_.start)].is_nullable;
}

std::span<const Parser::Item> Parser::items() const { return std::span(items_).subspan(frames_.back().items); }

void Parser::open_frame() {
  frames_.push_back({items_.size(), nodes_.size(), edges_.size()});
  seen_.clear();
  ++round_;
}

bool Parser::close_frame() {
  const auto begin = items_.begin() + ptrdiff_t(frames_.back().items);
  if (items_.end() - begin > 1) {
    std::sort(begin, items_.end());
    items_.erase(std::unique(begin, items_.end()), items_.end());
  }
  if (!items().empty() || can_end()) return true;
  pop();
  return false;
}

// A frame that is closed again if an error leaves it.
class Parser::Attempt {
 public:
  explicit Attempt(Parser& parser) : parser_(parser), errors_(std::uncaught_exceptions()) { parser.open_frame(); }
  ~Attempt() {
    if (std::uncaught_exceptions() == errors_) return;
    parser_.pending_.clear();
    parser_.pop();
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

 private:
  Parser& parser_;
  int errors_;
};

bool Parser::push(std::string_view bytes) {
  const size_t before = size();
  const auto undo = [&] { pop(size() - before); };
  try {
    for (const char byte : bytes)
      if (!push(uint8_t(byte))) return undo(), false;
  } catch (...) {
    undo();
    throw;
  }
  return true;
}

bool Parser::push(uint8_t byte) {
  const size_t begin = frames_.back().items, end = items_.size();
  const Attempt attempt(*this);
  for (size_t i = begin; i < end; ++i) {
    Item item = items_[i];
    Lexer& lexer = lexers_.lexers[size_t(grammar_.symbols[size_t(item.position)])];
    item.state = lexer.next(item.state, byte);
    if (item.state == kDead) continue;
    if (lexer.goes_on(item.state)) items_.push_back(item);
    if (lexer.accepts(item.state)) visit(item.position + 1, item.node);
  }
  drain();
  return close_frame();
}

bool Parser::push_end_of(std::span<const Item> items) {
  const std::vector<Item> given(items.begin(), items.end());  // they may lie in items_, which grows
  const Attempt attempt(*this);
  for (const Item& item : given) visit(item.position + 1, item.node);
  drain();
  return close_frame();
}

void Parser::pop(size_t count) {
  for (; count > 0; --count) {
    const Frame& frame = frames_.back();
    items_.resize(frame.items);
    nodes_.resize(frame.nodes);
    edges_.resize(frame.edges);
    frames_.pop_back();
  }
}

int32_t Parser::only_byte() const {
  if (can_end()) return kDead;
  int32_t found = kDead;
  for (const Item& item : items()) {
    const int32_t byte = lexers_.lexers[size_t(grammar_.symbols[size_t(item.position)])].only_byte(item.state);
    if (byte == Lexer::kSeveral || (found != kDead && found != byte)) return kDead;
    found = byte;
  }
  return found;
}

// The dot stands before `position` in the call `node`.
void Parser::visit(int32_t position, int32_t node) {
  if (!seen_.add(position, node)) return;
  require(seen_.size() <= size_t(grammar_.limits.items),
          "[grammar] the grammar is too ambiguous: more than {} ways to read the text", grammar_.limits.items);
  pending_.push_back({position, node});
}

void Parser::drain() {
  while (!pending_.empty()) {
    const auto [position, node] = pending_.back();
    pending_.pop_back();
    if (position == kTextEnd) {
      frames_.back().can_end = true;
      continue;
    }
    const int32_t symbol = grammar_.symbols[size_t(position)];
    if (symbol == Grammar::kEnd) {
      finish(node);
    } else if (symbol >= 0) {
      items_.push_back({position, node, lexers_.lexers[size_t(symbol)].start()});
      if (grammar_.lexemes[size_t(symbol)].is_nullable) visit(position + 1, node);
    } else {
      call(position, node);
      if (grammar_.rules[Grammar::rule_number(symbol)].is_nullable) visit(position + 1, node);
    }
  }
}

void Parser::call(int32_t position, int32_t node) {
  const int32_t rule = ~grammar_.symbols[size_t(position)];
  const Node caller = nodes_[size_t(node)];
  auto& [round, callee] = called_[size_t(rule)];
  const bool is_new = round != round_;
  // A call that stands last returns to where its caller would. The callers of a node of this frame are not all known.
  bool is_last = grammar_.symbols[size_t(position) + 1] == Grammar::kEnd && size_t(caller.frame) + 1 < frames_.size();
  int edges = 0;
  for (int32_t edge = caller.first_edge; is_last && edge != kDead; edge = edges_[size_t(edge)].next)
    is_last = ++edges <= kFewEdges;
  if (is_new) {
    callee = add_node(rule, caller.depth + !is_last);
    round = round_;
  }
  if (is_last)
    for (int32_t edge = caller.first_edge; edge != kDead; edge = edges_[size_t(edge)].next)
      add_edge(callee, edges_[size_t(edge)].position, edges_[size_t(edge)].node);
  else
    add_edge(callee, position + 1, node);
  if (is_new) begin_alternatives(callee);
}

// Only those that can end before calls are nested too deeply: what is offered can always be completed.
void Parser::begin_alternatives(int32_t node) {
  const auto [rule, frame, edge, depth] = nodes_[size_t(node)];
  for (const auto& [begin, calls] : grammar_.rules[size_t(rule)].alternatives)
    if (depth + calls <= grammar_.limits.depth) visit(begin, node);
}

void Parser::finish(int32_t node) {
  // A call of this frame has read nothing; its caller stepped over it.
  if (size_t(nodes_[size_t(node)].frame) + 1 == frames_.size()) return;
  for (int32_t edge = nodes_[size_t(node)].first_edge; edge != kDead; edge = edges_[size_t(edge)].next)
    visit(edges_[size_t(edge)].position, edges_[size_t(edge)].node);
}

int32_t Parser::add_node(int32_t rule, int32_t depth) {
  require(nodes_.size() < size_t(grammar_.limits.stack_nodes), "[grammar] the text opens more than {} rules",
          grammar_.limits.stack_nodes);
  nodes_.push_back({rule, int32_t(frames_.size()) - 1, kDead, depth});
  return int32_t(nodes_.size()) - 1;
}

void Parser::add_edge(int32_t to, int32_t position, int32_t node) {
  int compared = 0;
  for (int32_t edge = nodes_[size_t(to)].first_edge; edge != kDead && compared < kComparedEdges; ++compared) {
    const Edge& known = edges_[size_t(edge)];
    if (known.position == position && known.node == node) return;
    edge = known.next;
  }
  require(edges_.size() < size_t(grammar_.limits.stack_nodes) * 2, "[grammar] the text opens too many rules");
  edges_.push_back({position, node, nodes_[size_t(to)].first_edge});
  nodes_[size_t(to)].first_edge = int32_t(edges_.size()) - 1;
}

}  // namespace fude::grammar
