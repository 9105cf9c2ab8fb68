#include "infer/grammar/matcher.h"

#include <algorithm>

#include "base/error.h"
#include "text/tokenizer_file.h"

namespace fude::grammar {
namespace {

constexpr size_t kContextTokens = 8;  // behind which forced bytes are cut
constexpr size_t kBytesOfToken = 16;  // longer than most: so many bytes are looked at for each that is foreseen

// Takes the parser back to so many bytes at the end, however that comes: a limit may throw at any of them.
struct LookAhead {
  Parser& parser;
  size_t before;
  LookAhead(Parser& parser, size_t before) : parser(parser), before(before) {}
  LookAhead(const LookAhead&) = delete;
  ~LookAhead() { parser.pop(parser.size() - before); }
};

}  // namespace

GrammarVocabulary::GrammarVocabulary(Tokenizer tokenizer, std::vector<TokenId> end_tokens)
    : end_tokens_(std::move(end_tokens)), tokenizer_(std::move(tokenizer)) {
  if (end_tokens_.empty()) end_tokens_ = tokenizer_->data().end_tokens;
  tokens_.resize(size_t(tokenizer_->vocabulary_size()));
  for (size_t i = 0; i < tokens_.size(); ++i)
    if (!tokenizer_->is_special(TokenId(i))) tokens_[i] = tokenizer_->bytes_of(TokenId(i));
  build();
}

GrammarVocabulary::GrammarVocabulary(std::vector<std::string> tokens, std::vector<TokenId> end_tokens)
    : tokens_(std::move(tokens)), end_tokens_(std::move(end_tokens)) {
  build();
}

void GrammarVocabulary::build() {
  for (const TokenId token : end_tokens_) {
    require(token >= 0 && token < size(), "[grammar] the end token {} is not in the vocabulary of {}", token, size());
    tokens_[size_t(token)].clear();
  }
  tries_.emplace(tokens_);
}

TokenGrammar::TokenGrammar(Grammar grammar, std::shared_ptr<const GrammarVocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)),
      lexers_(std::move(grammar)),
      masks_(vocabulary_->tries(), vocabulary_->size(), lexers_.grammar.limits.mask_bytes) {}

// A matcher's time with the grammar, in which the lexers work on its account.
class TokenGrammar::Turn {
 public:
  Turn(TokenGrammar& grammar, uint64_t& left) : lock_(grammar.mutex_), grammar_(grammar), left_(left) {
    *grammar_.lexers_.limits.work_left = left_;
  }
  Turn(const Turn&) = delete;
  ~Turn() {
    const uint64_t now = *grammar_.lexers_.limits.work_left;
    grammar_.spent_ += left_ - now;
    left_ = now;
  }

 private:
  const std::lock_guard<std::mutex> lock_;
  TokenGrammar& grammar_;
  uint64_t& left_;
};

bool TokenGrammar::is_worn() const {
  const std::lock_guard lock(mutex_);
  return spent_ > lexers_.limits.lexer_work / 8;
}

Matcher::Matcher(std::shared_ptr<TokenGrammar> grammar)
    : grammar_(std::move(grammar)), parser_(grammar_->lexers_), work_left_(grammar_->lexers_.limits.lexer_work) {}

void Matcher::allowed(TokenSet& mask) {
  const TokenGrammar::Turn turn(*grammar_, work_left_);
  if (int64_t(mask.words().size()) * 64 < grammar_->vocabulary().size()) mask = TokenSet(grammar_->vocabulary().size());
  mask.clear();
  if (is_done_) return;
  if (parser_.can_end())
    for (const TokenId token : grammar_->vocabulary().end_tokens()) mask.set(token);
  // Items of one lexeme in one state share what is inside it, and go on together behind its end.
  std::vector<Parser::Item> items(parser_.items().begin(), parser_.items().end());
  const auto lexeme_of = [&](const Parser::Item& item) {
    return grammar_->lexers_.grammar.symbols[size_t(item.position)];
  };
  const auto kind_of = [&](const Parser::Item& item) { return std::pair{lexeme_of(item), item.state}; };
  std::sort(items.begin(), items.end(), [&](auto& a, auto& b) { return kind_of(a) < kind_of(b); });
  MaskSteps steps{grammar_->lexers_.grammar.limits.mask_steps};
  for (size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    while (end < items.size() && kind_of(items[end]) == kind_of(items[begin])) ++end;
    const int32_t lexeme = lexeme_of(items[begin]);
    const LexemeMask& known =
        grammar_->masks_.find(lexeme, items[begin].state, grammar_->lexers_.lexers[size_t(lexeme)], steps);
    known.add_inside(mask);
    if (!known.has_rests()) continue;
    if (!parser_.push_end_of(std::span(items).subspan(begin, end - begin))) continue;
    const LookAhead ahead(parser_, parser_.size() - 1);
    walk_rests(known, mask, steps);
  }
}

void Matcher::walk_rests(const LexemeMask& known, TokenSet& mask, MaskSteps& steps) {
  walk(known.rests, 0, int32_t(known.rests.nodes().size()), mask, steps);
  for (const auto [trie, node] : known.places) walk(*trie, node + 1, trie->nodes()[size_t(node)].end, mask, steps);
}

// Sets the tokens of a part of a tree whose bytes can come: of siblings from `begin` to before `end` and what is below.
void Matcher::walk(const TokenTrie& trie, int32_t begin, int32_t end, TokenSet& mask, MaskSteps& steps) {
  if (begin >= end) return;
  const size_t base = parser_.size();
  const std::span<const TokenTrie::Node> nodes = trie.nodes();
  const size_t first_depth = nodes[size_t(begin)].depth;
  for (int32_t i = begin; i < end;) {
    const TokenTrie::Node& node = nodes[size_t(i)];
    parser_.pop(parser_.size() - base - (size_t(node.depth) - first_depth));
    steps.take();
    if (!parser_.push(node.byte)) {
      i = node.end;
      continue;
    }
    trie.for_tokens(node, [&](TokenId token) { mask.set(token); });
    ++i;
  }
  parser_.pop(parser_.size() - base);
}

bool Matcher::accept(TokenId token) {
  const TokenGrammar::Turn turn(*grammar_, work_left_);
  const GrammarVocabulary& vocabulary = grammar_->vocabulary();
  if (is_done_ || token < 0 || token >= vocabulary.size()) return false;
  const std::string_view bytes = vocabulary.bytes_of(token);
  if (bytes.empty() || bytes.size() > kLongestOfferedToken) {
    const auto& ends = vocabulary.end_tokens();
    if (!parser_.can_end() || std::find(ends.begin(), ends.end(), token) == ends.end()) return false;
    is_done_ = true;
  }
  if (!is_done_ && !parser_.push(bytes)) return false;
  tokens_.push_back(token);
  return true;
}

void Matcher::rollback(size_t count) {
  const TokenGrammar::Turn turn(*grammar_, work_left_);
  require(count <= tokens_.size(), "[grammar] expected to go back by at most {} tokens, got {}", tokens_.size(), count);
  for (; count > 0; --count) {
    if (!is_done_) parser_.pop(grammar_->vocabulary().bytes_of(tokens_.back()).size());
    is_done_ = false;
    tokens_.pop_back();
  }
}

std::string Matcher::forced_bytes(size_t most) {
  const TokenGrammar::Turn turn(*grammar_, work_left_);
  std::string bytes;
  if (is_done_) return bytes;
  const LookAhead ahead(parser_, parser_.size());
  for (int32_t byte; bytes.size() < most && (byte = parser_.only_byte()) >= 0;) {
    if (!parser_.push(uint8_t(byte))) break;
    bytes += char(byte);
  }
  return bytes;
}

std::vector<TokenId> Matcher::foreseen(size_t most) {
  const std::optional<Tokenizer>& tokenizer = grammar_->vocabulary().tokenizer();
  if (!tokenizer) return {};
  const std::string bytes = forced_bytes(std::min(kMostForced, most * kBytesOfToken));
  if (bytes.empty()) return {};
  std::string text;
  for (const TokenId token : std::span(tokens_).last(std::min(kContextTokens, tokens_.size())))
    text += grammar_->vocabulary().bytes_of(token);
  const std::vector<TokenId> before = tokenizer->encode(text);
  std::vector<TokenId> tokens = tokenizer->encode(text + bytes);
  // Where the forced bytes would have changed the cut before them, the tokenizer's way on is not the answer's.
  if (tokens.size() < before.size() || !std::equal(before.begin(), before.end(), tokens.begin())) return {};
  tokens.erase(tokens.begin(), tokens.begin() + ptrdiff_t(before.size()));
  tokens.resize(std::min(tokens.size(), most));
  return tokens;
}

}  // namespace fude::grammar
