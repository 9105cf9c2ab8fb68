// Follows a text byte by byte through a grammar, all readings at once, and can go back.
//
// Earley's method (1970) over a graph-structured stack: what is open is a node per called rule and place, and the
// places that called it are edges, so that ambiguity and left recursion cost sharing and not copies. Between bytes
// there is only the frontier: lexemes being read. Rules that may be empty are stepped over when they are called (Aycock
// and Horspool, 2002), and a call that stands last in its rule returns to its caller's caller, so lists do not pile up.
// Every byte has a frame; going back cuts the arrays off.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "infer/grammar/grammar.h"

namespace fude::grammar {

// A grammar with the lexers of its lexemes, which grow while texts are followed: not for two threads at once.
struct GrammarLexers {
  explicit GrammarLexers(Grammar given);
  Grammar grammar;
  CountedLimits limits;
  std::vector<Lexer> lexers;  // by lexeme
};

class Parser {
 public:
  // A lexeme that is being read.
  struct Item {
    int32_t position;  // of the lexeme, in the grammar's symbols
    int32_t node;      // the call it belongs to
    int32_t state;     // of the lexer
    auto operator<=>(const Item&) const = default;
  };

  // `lexers` must outlive it.
  explicit Parser(GrammarLexers& lexers);

  // Reads one more byte. False, and nothing happens, if it cannot come. Error if a limit is passed.
  bool push(uint8_t byte);
  // All of them, or none.
  bool push(std::string_view bytes);
  // As if the lexemes of `items` had just ended: what can come then. For looking ahead; `pop` takes it back.
  bool push_end_of(std::span<const Item> items);
  // Goes back by so many successful pushes.
  void pop(size_t count = 1);
  // How many pushes there are.
  size_t size() const { return frames_.size() - 1; }

  std::span<const Item> items() const;
  // Whether the text may end here.
  bool can_end() const { return frames_.back().can_end; }
  // The byte that must come, or a negative number where several can, or none, or the text may end.
  int32_t only_byte() const;

 private:
  struct Node {
    int32_t rule, frame, first_edge, depth;
  };
  struct Edge {
    int32_t position, node, next;  // where the call returns to, and in which call
  };
  struct Frame {
    size_t items, nodes, edges;  // where its own begin
    bool can_end = false;
  };
  // A set of pairs that is emptied in no time.
  class PairSet {
   public:
    PairSet() : slots_(64) {}
    void clear() { ++round_, count_ = 0; }
    bool add(int32_t a, int32_t b);
    size_t size() const { return count_; }

   private:
    struct Slot {
      uint64_t pair = 0, round = 0;
    };
    std::vector<Slot> slots_;
    uint64_t round_ = 1;
    size_t count_ = 0;
  };

  class Attempt;

  void open_frame();
  bool close_frame();
  void visit(int32_t position, int32_t node);
  void drain();
  void call(int32_t position, int32_t node);
  void begin_alternatives(int32_t node);
  void finish(int32_t node);
  int32_t add_node(int32_t rule, int32_t depth);
  void add_edge(int32_t to, int32_t position, int32_t node);

  GrammarLexers& lexers_;
  const Grammar& grammar_;
  std::vector<Item> items_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::vector<Frame> frames_;
  // What one push needs.
  PairSet seen_;
  std::vector<std::pair<int32_t, int32_t>> pending_;
  std::vector<std::pair<uint64_t, int32_t>> called_;  // by rule: the round of the call, and its node
  uint64_t round_ = 0;
};

}  // namespace fude::grammar
