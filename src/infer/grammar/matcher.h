// Keeps a model's answer inside a grammar, token by token.
//
// A `GrammarVocabulary` is made once per tokenizer, a `TokenGrammar` once per grammar and tokenizer, and a `Matcher`
// per answer:
//   auto grammar = std::make_shared<TokenGrammar>(json_schema_grammar(schema), vocabulary);
//   Matcher matcher(grammar);
//   while (!matcher.is_done()) { matcher.allowed(mask); keep_allowed(mask, logprobs); …; matcher.accept(token); }
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "infer/grammar/grammar.h"
#include "infer/grammar/lexeme_masks.h"
#include "infer/grammar/parser.h"
#include "infer/grammar/token_set.h"
#include "infer/grammar/token_trie.h"
#include "text/tokenizer.h"

namespace fude::grammar {

// The tokens as a tree. Special tokens match no bytes; those that end a text are allowed where the grammar can end.
// Immutable, for any number of threads and grammars.
class GrammarVocabulary {
 public:
  // `end_tokens`: what the tokenizer's files say, if empty.
  explicit GrammarVocabulary(Tokenizer tokenizer, std::vector<TokenId> end_tokens = {});
  // Without a tokenizer: bytes by id, empty for what matches nothing. Nothing is `foreseen` then.
  GrammarVocabulary(std::vector<std::string> tokens, std::vector<TokenId> end_tokens);

  int64_t size() const { return int64_t(tokens_.size()); }
  std::string_view bytes_of(TokenId token) const { return tokens_[size_t(token)]; }
  const VocabularyTries& tries() const { return *tries_; }
  const std::vector<TokenId>& end_tokens() const { return end_tokens_; }
  const std::optional<Tokenizer>& tokenizer() const { return tokenizer_; }

 private:
  void build();
  std::vector<std::string> tokens_;
  std::vector<TokenId> end_tokens_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<VocabularyTries> tries_;
};

// A grammar and all that is learnt about it while it is used. Shared by the matchers of any number of threads, which
// take turns.
class TokenGrammar {
 public:
  TokenGrammar(Grammar grammar, std::shared_ptr<const GrammarVocabulary> vocabulary);
  const GrammarVocabulary& vocabulary() const { return *vocabulary_; }
  // Whether what was learnt takes a good part of what one text may take: then further texts had better begin with a
  // grammar of their own.
  bool is_worn() const;

 private:
  friend class Matcher;
  class Turn;
  std::shared_ptr<const GrammarVocabulary> vocabulary_;
  mutable std::mutex mutex_;
  GrammarLexers lexers_;
  LexemeMasks masks_;
  uint64_t spent_ = 0;  // of all matchers, on the lexers
};

class Matcher {
 public:
  explicit Matcher(std::shared_ptr<TokenGrammar> grammar);

  // The tokens that may come next; none after the end. Error if a limit is passed.
  void allowed(TokenSet& mask);
  // Takes a token. False, and nothing happens, if it may not come.
  bool accept(TokenId token);
  // As if the last `count` tokens had never been accepted. Error if there are fewer. The engine draws each token behind
  // the one before and does not need it.
  void rollback(size_t count);
  // Whether an end token was accepted.
  bool is_done() const { return is_done_; }
  // Whether an end token may come.
  bool can_end() const { return !is_done_ && parser_.can_end(); }
  size_t size() const { return tokens_.size(); }

  // The bytes that must come next whatever is drawn, at most so many of them.
  static constexpr size_t kMostForced = 1024;
  std::string forced_bytes(size_t most = kMostForced);
  // At most `most` of the tokens that the tokenizer cuts these bytes into behind the last ones: how a model most likely
  // goes on. The last may come out longer, by what follows.
  std::vector<TokenId> foreseen(size_t most);

 private:
  void walk_rests(const LexemeMask& known, TokenSet& mask, MaskSteps& steps);
  void walk(const TokenTrie& trie, int32_t begin, int32_t end, TokenSet& mask, MaskSteps& steps);

  std::shared_ptr<TokenGrammar> grammar_;
  Parser parser_;
  std::vector<TokenId> tokens_;
  uint64_t work_left_;  // on the lexers; what is known already costs nothing
  bool is_done_ = false;
};

}  // namespace fude::grammar
