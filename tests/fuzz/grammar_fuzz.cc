// layer: infer
// Schemas, regular expressions and grammars of any kind: compiling and matching end within their limits, a mask is what
// each token says, and going back is never having gone. The first byte picks the front end, the source goes up to the
// first zero byte, and the rest are tokens to try.
#include <array>
#include <cstdlib>

#include "base/error.h"
#include "infer/grammar/gbnf.h"
#include "infer/grammar/json_schema.h"
#include "infer/grammar/matcher.h"
#include "infer/grammar/regex.h"

using namespace fude;
using namespace fude::grammar;

namespace {

std::shared_ptr<const GrammarVocabulary> vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, char(byte));
  for (const char* more :
       {"\":", "\",\"", "{\"", "\"}", "}}", "[1", "12", "true", "null", ", ", "\n  ", "ab", "aa", "\xC3\xA9"})
    tokens.emplace_back(more);
  tokens.emplace_back();
  const auto end = TokenId(tokens.size()) - 1;
  return std::make_shared<GrammarVocabulary>(tokens, std::vector<TokenId>{end});
}

// A value of the schema, or several between marks.
Grammar either_grammar(std::string_view source, const GrammarLimits& limits) {
  const Json schema = parse_json(source, "schema", {.bytes = limits.source_bytes, .depth = limits.nesting});
  return json_schema_grammar(std::array{MarkedSchema{schema, "", ""}, MarkedSchema{schema, "<a>\n", "\n</a>", true}},
                             {}, limits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const auto kVocabulary = vocabulary();
  if (size == 0) return 0;
  const std::string_view given(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::string_view source = given.substr(0, given.find('\0'));
  const std::string_view steps = given.substr(std::min(given.size(), source.size() + 1));
  GrammarLimits limits;
  limits.source_bytes = 1 << 12;
  limits.automaton_states = 20'000;
  limits.total_states = 100'000;
  limits.lexer_states = 2000;
  limits.lexer_work = 500'000;
  limits.product_states = 500;
  limits.symbols = 20'000;
  limits.depth = 30;
  limits.items = 300;
  limits.stack_nodes = 20'000;
  limits.mask_steps = 20'000;
  limits.mask_bytes = 1 << 16;
  try {
    Grammar grammar = bytes[0] % 4 == 0   ? json_schema_grammar(source, {}, limits)
                      : bytes[0] % 4 == 1 ? regex_grammar(source, limits)
                      : bytes[0] % 4 == 2 ? gbnf_grammar(source, limits)
                                          : either_grammar(source, limits);
    Matcher matcher(std::make_shared<TokenGrammar>(std::move(grammar), kVocabulary));
    TokenSet before, after;
    for (const char step : steps.substr(0, 20)) {
      matcher.allowed(before);
      const auto wanted = TokenId(uint8_t(step));
      const TokenId token =
          wanted < 250 || before.count() == 0 ? wanted : TokenId(kVocabulary->size() - 1 - (wanted - 250));
      const bool accepted = matcher.accept(token);
      if (accepted != before.has(token)) std::abort();
      if (!accepted) continue;
      matcher.rollback(1);
      matcher.allowed(after);
      if (!(before == after)) std::abort();
      matcher.accept(token);
      const std::string forced = matcher.forced_bytes();
      if (!forced.empty() && !matcher.accept(TokenId(uint8_t(forced[0])))) std::abort();
    }
  } catch (const Error&) {}
  return 0;
}
