// Foreign pre-tokenizer patterns through PCRE2, compiled to machine code where that is available.
//
// PCRE2 demands well-formed UTF-8, so other bytes are shown to it as U+FFFD and offsets are mapped back. Steps, memory
// and the size of the machine stack are limited: a pattern that backtracks without end is an error, not a hang.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "text/pretokenize.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr uint32_t kStepLimit = 10'000'000, kFewSteps = 20'000;
constexpr int kCostlyMatches = 64;  // of a text: those that take more than a few steps
constexpr uint32_t kHeapLimitKib = 64 << 10;
constexpr size_t kStackBytes = 4 << 20;

std::string message(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// What matching needs; made per text, because a splitter is shared by threads.
struct MatchState {
  pcre2_match_data* data;
  pcre2_match_context* context;
  pcre2_jit_stack* stack;
  int costly = 0;

  explicit MatchState(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)),
        context(pcre2_match_context_create(nullptr)),
        stack(pcre2_jit_stack_create(32 << 10, kStackBytes, nullptr)) {
    if (!data || !context || !stack) {
      release();
      fail("[pretokenize] out of memory");
    }
    pcre2_set_heap_limit(context, kHeapLimitKib);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  MatchState(const MatchState&) = delete;
  ~MatchState() { release(); }
  void release() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

class RegexSplitter : public Splitter {
 public:
  explicit RegexSplitter(std::string_view pattern) {
    require(is_valid_utf8(pattern), "[pretokenize] the pattern is not valid UTF-8");
    require(pattern.size() <= 1 << 16, "[pretokenize] expected a pattern of at most 65536 bytes, got {}",
            pattern.size());
    int error = 0;
    PCRE2_SIZE where = 0;
    pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
    pcre2_set_parens_nest_limit(context, 100);
    code_ =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY, &error, &where, context);
    pcre2_compile_context_free(context);
    require(code_ != nullptr, "[pretokenize] the pattern does not compile, at byte {}: {}", where, message(error));
    pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);
  }
  RegexSplitter(const RegexSplitter&) = delete;
  ~RegexSplitter() override { pcre2_code_free(code_); }

  void split(std::string_view text, std::vector<size_t>& ends) const override { refine(text, {text.size()}, ends); }

  void refine(std::string_view text, const std::vector<size_t>& coarse, std::vector<size_t>& fine) const override {
    MatchState state(code_);
    size_t begin = 0;
    for (const size_t stop : coarse) {
      const size_t first = fine.size();
      split_piece(state, text.substr(begin, stop - begin), fine);
      for (size_t n = first; n < fine.size(); ++n) fine[n] += begin;
      begin = stop;
    }
  }

 private:
  void split_piece(MatchState& state, std::string_view text, std::vector<size_t>& ends) const {
    const size_t first = ends.size();
    if (is_valid_utf8(text)) return split_valid(state, text, ends);
    std::string shown;
    for (size_t i = 0; i < text.size();) {
      const Character c = decode_character(text, i);
      shown += c.code_point == kInvalid ? std::string_view("\xEF\xBF\xBD") : text.substr(i, c.length);
      i += c.length;
    }
    split_valid(state, shown, ends);
    // Walk both texts to turn the offsets back; a pattern cuts between characters only.
    size_t in_shown = 0, in_text = 0;
    for (size_t n = first; n < ends.size(); ++n) {
      while (in_shown < ends[n]) {
        const Character c = decode_character(text, in_text);
        in_shown += c.code_point == kInvalid ? 3 : c.length;
        in_text += c.length;
      }
      ends[n] = in_text;
    }
  }

  void split_valid(MatchState& state, std::string_view text, std::vector<size_t>& ends) const {
    for (size_t at = 0; at < text.size();) {
      const auto match_within = [&](uint32_t steps) {
        pcre2_set_match_limit(state.context, steps);
        return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                           PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, state.data, state.context);
      };
      int result = match_within(kFewSteps);
      if (result == PCRE2_ERROR_MATCHLIMIT && ++state.costly <= kCostlyMatches) result = match_within(kStepLimit);
      if (result == PCRE2_ERROR_NOMATCH) return ends.push_back(text.size());
      require(result >= 0, "[pretokenize] the pattern failed at byte {} of the text: {}", at, message(result));
      const PCRE2_SIZE* match = pcre2_get_ovector_pointer(state.data);
      // \K in a look-around can move the match; such patterns have no pieces.
      require(match[0] >= at && match[1] > match[0], "[pretokenize] the pattern moves its own match");
      if (match[0] > at) ends.push_back(match[0]);
      ends.push_back(at = match[1]);
    }
  }

  pcre2_code* code_ = nullptr;
};

}  // namespace

std::unique_ptr<Splitter> make_regex_splitter(std::string_view pattern) {
  return std::make_unique<RegexSplitter>(pattern);
}

}  // namespace fude
