// Pre-tokenizers: where a text is cut before byte pairs are merged.
//
// A pre-tokenizer is a short list of splitters; each cuts the pieces of the one before. Every splitter's pieces cover
// the text, so nothing is ever lost. The patterns that matter are written by hand (a regular expression engine costs
// more than the merging itself); every other pattern runs through PCRE2 with limits, and that path is also the oracle
// of the hand-written ones. Bytes outside well-formed UTF-8 are split as U+FFFD would be (unicode.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

// Cuts a text into pieces. Immutable after construction, usable from several threads.
class Splitter {
 public:
  virtual ~Splitter() = default;
  // Appends where each piece ends, rising, the last at text.size(); nothing for an empty text.
  virtual void split(std::string_view text, std::vector<size_t>& ends) const = 0;
  // Cuts the pieces of a text, which end at `coarse`, each by itself, and appends where theirs end in the text.
  virtual void refine(std::string_view text, const std::vector<size_t>& coarse, std::vector<size_t>& fine) const;
};

// The patterns with a name: gpt2 (r50k, p50k), cl100k, llama3, qwen2 (Qwen2, Qwen3), o200k. Error for another name.
std::string_view named_pattern(std::string_view name);

bool is_pattern_name(std::string_view name);
// A known pattern in Hugging Face's spelling (tiktoken writes the same with possessive repeats), another as it is.
std::string canonical_pattern(std::string_view pattern);
// What a person calls it: a pattern by its name, or the pattern itself (canonical). Error for what can only be a name,
// letters and digits, and is none.
std::string pattern_called(std::string_view name_or_pattern);
// A pattern that matches `text` and nothing else.
std::string literal_pattern(std::string_view text);

// The hand-written splitter of a known pattern; null for another.
std::unique_ptr<Splitter> make_known_splitter(std::string_view pattern);
// Any pattern through PCRE2: matches and the gaps between them are the pieces. Error if the pattern does not
// compile or a match would take more than a fixed number of steps.
std::unique_ptr<Splitter> make_regex_splitter(std::string_view pattern);

// One step of a pre-tokenizer, as Hugging Face files describe it.
struct SplitStep {
  // before_text, after_text: a cut before or behind each occurrence of a text.
  enum class Kind { pattern, digits, each_digit, before_text, after_text };
  Kind kind = Kind::pattern;
  std::string pattern;  // or the text
  bool operator==(const SplitStep&) const = default;
};

// Applies its steps in order; with no steps the text is one piece.
class PreTokenizer : public Splitter {
 public:
  PreTokenizer() = default;
  explicit PreTokenizer(const std::vector<SplitStep>& steps);
  void split(std::string_view text, std::vector<size_t>& ends) const override;

 private:
  std::vector<std::unique_ptr<Splitter>> splitters_;
};

}  // namespace fude
