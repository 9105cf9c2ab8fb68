// The time of masks on a real vocabulary:
//   FUDE_BENCH=1 FUDE_RANKS=o200k_base.tiktoken build/release/tests/infer_test --gtest_filter='GrammarSpeed.*'
// prints microseconds per mask, over answers that are cut as the tokenizer cuts them.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "infer/grammar/json_schema.h"
#include "infer/grammar/matcher.h"

namespace fude::grammar {
namespace {

struct SpeedCase {
  const char *name, *schema, *answer;
};

const SpeedCase kSpeedCases[] = {
    {"any JSON", "true",
     R"({"id": 12, "title": "A short story, told twice", "tags": ["a", "b c"], "more": {"ok": true, "score": -1.25e3}})"},
    {"function call",
     R"({"type":"object","properties":{"name":{"enum":["get_weather","get_time"]},"arguments":{"type":"object","properties":
{"city":{"type":"string"},"unit":{"enum":["celsius","fahrenheit"]},"days":{"type":"integer","minimum":1,"maximum":14}},
"required":["city"],"additionalProperties":false}},"required":["name","arguments"],"additionalProperties":false})",
     R"({"name": "get_weather", "arguments": {"city": "São Paulo, near the old market", "unit": "celsius", "days": 10}})"},
    {"people",
     R"({"type":"array","items":{"type":"object","properties":{"name":{"type":"string","maxLength":100},"email":{"type":"string",
"format":"email"},"born":{"type":"string","format":"date"},"height":{"type":"number","minimum":0.2,"maximum":2.8},
"notes":{"type":"array","items":{"type":"string"}}},"required":["name","email"]}})",
     R"([{"name": "Ada Lovelace", "email": "ada.lovelace@example.org", "born": "1815-12-10", "height": 1.68, "notes": ["wrote
 the first program", "\"poetical science\""]}, {"name": "Alan Turing", "email": "alan@example.org", "x": null}])"},
    {"tree",
     R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"string"},"children":{"type":"array",
"items":{"$ref":"#/$defs/node"}}},"required":["value","children"],"additionalProperties":false}}})",
     R"({"value":"root of it","children":[{"value":"left","children":[]},{"value":"right","children":[{"value":"leaf","children":[]}]}]})"},
};

TEST(GrammarSpeed, MasksOnRealVocabulary) {
  const char* ranks = std::getenv("FUDE_RANKS");
  if (std::getenv("FUDE_BENCH") == nullptr || ranks == nullptr) GTEST_SKIP() << "set FUDE_BENCH and FUDE_RANKS";
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  };
  auto begin = Clock::now();
  const auto vocabulary = std::make_shared<GrammarVocabulary>(Tokenizer::load(ranks));
  std::printf("vocabulary of %ld tokens, %ld nodes that are not plain: %.0f ms\n", long(vocabulary->size()),
              long(vocabulary->tries().others.nodes().size()), since(begin) / 1000);
  std::vector<double> all;
  for (const SpeedCase& one : kSpeedCases) {
    begin = Clock::now();
    const auto grammar = std::make_shared<TokenGrammar>(json_schema_grammar(std::string_view(one.schema)), vocabulary);
    const double compiled = since(begin);
    std::string answer = one.answer;
    answer.erase(std::remove(answer.begin(), answer.end(), '\n'), answer.end());
    std::vector<double> times[2];  // when the grammar is new, and once it knows the way
    size_t forced = 0, tokens = 0;
    for (int round = 0; round < 2; ++round) {
      Matcher matcher(grammar);
      TokenSet mask;
      for (const TokenId token : vocabulary->tokenizer()->encode(answer)) {
        begin = Clock::now();
        matcher.allowed(mask);
        times[round].push_back(since(begin));
        ASSERT_TRUE(mask.has(token)) << one.name << " " << vocabulary->bytes_of(token);
        forced += matcher.forced().empty() ? 0 : 1;
        ++tokens;
        ASSERT_TRUE(matcher.accept(token));
      }
      EXPECT_TRUE(matcher.can_end());
      all.insert(all.end(), times[round].begin(), times[round].end());
      std::sort(times[round].begin(), times[round].end());
    }
    const auto at = [](const std::vector<double>& sorted, double share) {
      return sorted[std::min(sorted.size() - 1, size_t(share * double(sorted.size())))];
    };
    std::printf(
        "%-14s compile %6.0f us, first pass p50 %6.1f p99 %7.1f, second p50 %6.1f p99 %7.1f us, %zu of %zu forced\n",
        one.name, compiled, at(times[0], 0.5), at(times[0], 0.99), at(times[1], 0.5), at(times[1], 0.99), forced,
        tokens);
  }
}

}  // namespace
}  // namespace fude::grammar
