// fude bench grammar: the time that a JSON schema takes before each draw.
#include <ctime>

#include "app/bench.h"
#include "infer/grammar/json_schema.h"
#include "infer/grammar/matcher.h"

namespace fude {
namespace {

struct GrammarCase {
  const char *name, *schema, *answer;
};

const GrammarCase kGrammarCases[] = {
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
     R"([{"name": "Ada Lovelace", "email": "ada.lovelace@example.org", "born": "1815-12-10", "height": 1.68, "notes": ["wrote the
 first program", "\"poetical science\""]}, {"name": "Alan Turing", "email": "alan@example.org", "x": null}])"},
    {"tree",
     R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"string"},"children":{"type":"array",
"items":{"$ref":"#/$defs/node"}}},"required":["value","children"],"additionalProperties":false}}})",
     R"({"value":"root of it","children":[{"value":"left","children":[]},{"value":"right","children":[{"value":"leaf","children":[]}]}]})"},
    {"short strings", R"({"type":"array","items":{"type":"string","minLength":2,"maxLength":24}})",
     R"(["written to the very end", "四つの文字と、それから六つの文字", "é!", "it was \"all\" of it", "ok"])"},
    {"patterns",
     R"({"type":"object","properties":{"slug":{"type":"string","pattern":"^[a-z0-9]+(-[a-z0-9]+)*$"},"title":{"type":"string",
"pattern":"^[A-Z][A-Za-z ]{0,79}$"},"plate":{"type":"string","pattern":"^[A-Z]{1,3}-[A-Z]{1,2} [0-9]{1,4}$"},"part":{"type":"string",
"pattern":"[0-9]{3}"},"line":{"type":"string","pattern":"^[^,;]*(, [^,;]*)*$"}},"required":["slug","title","plate","part","line"]})",
     R"({"slug": "the-quick-brown-fox-2", "title": "Over the lazy dog", "plate": "B-FX 2024", "part": "number 100 of many", "line":
 "one thing, another thing, the rest"})"},
    {"letters",
     R"({"type":"object","properties":{"name":{"type":"string","pattern":"^\\p{L}+([ '-]\\p{L}+)*$"},"word":{"type":"string",
"pattern":"^\\p{Lu}\\p{Ll}*$"},"vowels":{"type":"string","pattern":"^(([^aeiou]*[aeiou]){3})*[^aeiou]*$"}},"required":["name","word","vowels"]})",
     R"({"name": "Зинаида д'Обинье", "word": "Größe", "vowels": "sit under the tree"})"},
    {"formats",
     R"({"type":"object","properties":{"at":{"type":"string","format":"date-time"},"host":{"type":"string","format":"hostname"},
"address":{"type":"string","format":"ipv6"},"link":{"type":"string","format":"uri"},"id":{"type":"string","format":"uuid"}},
"required":["at","host","address","link","id"],"additionalProperties":false})",
     R"({"at": "2024-02-29T12:30:05Z", "host": "www.example.org", "address": "2001:db8::1:0", "link": "https://example.org/a/path?q=1#end",
 "id": "123e4567-e89b-12d3-a456-426614174000"})"},
};

// Seconds that the thread itself has run: what else the machine does is of no account.
double own_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

struct MaskTimes {
  std::vector<std::vector<double>> microseconds;  // by mask, then by round

  void add(size_t mask, double seconds) {
    if (mask >= microseconds.size()) microseconds.resize(mask + 1);
    microseconds[mask].push_back(1e6 * seconds);
  }
  // The mask that so large a share takes no longer than: of medians, and of the best and the worst of each.
  Spread at(double share) const {
    std::vector<double> parts[3];
    for (const std::vector<double>& one : microseconds) {
      const Spread spread = spread_of(one);
      parts[0].push_back(spread.median), parts[1].push_back(spread.low), parts[2].push_back(spread.high);
    }
    for (auto& part : parts) std::ranges::sort(part);
    const size_t place = std::min(microseconds.size() - 1, size_t(share * double(microseconds.size())));
    return {parts[0][place], parts[1][place], parts[2][place]};
  }
};

// Of every round, masks of a grammar that is new, and of the same once it knows the way.
struct GrammarTimes {
  MaskTimes cold, warm;
};

GrammarTimes time_masks(const GrammarCase& one, const std::shared_ptr<const grammar::GrammarVocabulary>& vocabulary,
                        int64_t rounds) {
  std::string answer = one.answer;
  std::erase(answer, '\n');
  const std::vector<TokenId> tokens = vocabulary->tokenizer()->encode(answer);
  const grammar::Grammar compiled = grammar::json_schema_grammar(std::string_view(one.schema));
  GrammarTimes times;
  for (int64_t round = 0; round < rounds; ++round) {
    const auto grammar = std::make_shared<grammar::TokenGrammar>(compiled, vocabulary);
    for (MaskTimes* part : {&times.cold, &times.warm}) {
      grammar::Matcher matcher(grammar);
      grammar::TokenSet mask(vocabulary->size());
      for (size_t i = 0; i < tokens.size(); ++i) {
        const double began = own_seconds();
        matcher.allowed(mask);
        part->add(i, own_seconds() - began);
        require(mask.has(tokens[i]) && matcher.accept(tokens[i]), "[bench] {}: expected '{}' to be allowed", one.name,
                vocabulary->bytes_of(tokens[i]));
      }
    }
  }
  return times;
}

}  // namespace

void bench_grammar(Bench& bench, const std::string& tokenizer) {
  const BenchOptions& options = bench.options();
  const auto vocabulary = std::make_shared<const grammar::GrammarVocabulary>(Tokenizer::load(tokenizer));
  GrammarTimes all;
  const auto row_name = [](const char* name, const char* part, int percent) {
    return fmt::format("{} {} p{}", name, part, percent);
  };
  const auto print = [&](const char* name, const GrammarTimes& times) {
    for (const auto& [part, masks] : {std::pair("cold", &times.cold), std::pair("warm", &times.warm)})
      for (const int percent : {50, 99})
        if (const std::string row = row_name(name, part, percent); bench.wants(row))
          bench.print({row, "us", masks->at(percent / 100.0)});
  };
  const auto wants_any = [&](const char* name) {
    bool wants = false;
    for (const char* part : {"cold", "warm"})
      for (const int percent : {50, 99}) wants |= bench.wants(row_name(name, part, percent));
    return wants;
  };
  const bool wants_all = wants_any("all");
  for (const GrammarCase& one : kGrammarCases) {
    if (!wants_all && !wants_any(one.name)) continue;
    const GrammarTimes times = time_masks(one, vocabulary,
                                          options.rounds > 0 ? options.rounds
                                          : options.quick    ? 3
                                                             : 15);
    print(one.name, times);
    for (const auto& [to, from] : {std::pair(&all.cold, &times.cold), std::pair(&all.warm, &times.warm)})
      to->microseconds.insert(to->microseconds.end(), from->microseconds.begin(), from->microseconds.end());
  }
  if (wants_all) print("all", all);
}

}  // namespace fude
