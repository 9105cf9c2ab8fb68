#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/module_pattern.h"

#include <pcre2.h>

#include <algorithm>

#include "base/error.h"

namespace fude {
namespace {

constexpr size_t kLongestPattern = 4096, kLongestModule = 1024;
constexpr uint32_t kMatchLimit = 1'000'000, kHeapLimitKib = 1 << 10;

bool is_name(std::string_view key) {
  return std::ranges::all_of(key, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; });
}

// A dot is any character.
bool ends_in_name(std::string_view module, std::string_view key) {
  if (module.size() < key.size()) return false;
  const size_t before = module.size() - key.size();
  return (before == 0 || module[before - 1] == '.') &&
         std::equal(key.begin(), key.end(), module.begin() + ptrdiff_t(before),
                    [](char a, char b) { return a == b || a == '.'; });
}

// What both read alike: (?: (?= (?! (?<= (?<! (?P<name> (?P=name), escapes of signs and the letters below, and
// classes without [: :].
void require_common_syntax(std::string_view key, const std::string& place) {
  const auto begins = [&](size_t at, std::string_view text) { return key.substr(at).starts_with(text); };
  for (size_t i = 0; i < key.size(); ++i) {
    const bool is_common =
        key[i] == '\\'
            ? i + 1 < key.size() && (std::isalnum((unsigned char)key[i + 1]) == 0 ||
                                     std::string_view("AbBdDsSwW").find(key[i + 1]) != std::string_view::npos)
        : begins(i, "(?")
            ? std::ranges::any_of(
                  std::initializer_list<std::string_view>{"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?P<", "(?P="},
                  [&](std::string_view known) { return begins(i, known); })
            : !begins(i, "(*") && !begins(i, "{,") && !begins(i, "[:") && !begins(i, "[.") && !begins(i, "[=");
    require(is_common, "[lora] {}: expected a pattern that Python and PCRE2 read alike, got '{}' (at {})", place, key,
            i);
    if (key[i] == '\\') ++i;
  }
}

}  // namespace

ModulePattern::ModulePattern(const std::string& key, const std::string& place) : key_(key), place_(place) {
  require(key.size() <= kLongestPattern, "[lora] {}: expected patterns of at most {} bytes, got {}", place,
          kLongestPattern, key.size());
  if (is_name(key)) return;
  require_common_syntax(key, place);
  const std::string pattern = "(.*\\.)?(" + key + ")$";
  int error = 0;
  PCRE2_SIZE where = 0;
  const std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_parens_nest_limit(context.get(), 100);
  code_ = {pcre2_compile(PCRE2_SPTR(pattern.data()), pattern.size(),
                         PCRE2_ANCHORED | PCRE2_AUTO_CALLOUT | PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error,
                         &where, context.get()),
           [](const pcre2_code* code) { pcre2_code_free(const_cast<pcre2_code*>(code)); }};
  PCRE2_UCHAR message[256] = {};
  pcre2_get_error_message(error, message, sizeof message);
  require(code_ != nullptr, "[lora] {}: expected a regular expression, got '{}': {}", place, key,
          reinterpret_cast<const char*>(message));
}

bool ModulePattern::matches(const std::string& module, int64_t& steps_left) const {
  if (code_ == nullptr) return ends_in_name(module, key_);
  require(module.size() <= kLongestModule, "[lora] {}: expected names of at most {} bytes, got {}", place_,
          kLongestModule, module.size());
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(
      pcre2_match_data_create_from_pattern(code_.get(), nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  // Called before each item of the pattern that is tried.
  const auto count = [](pcre2_callout_block*, void* left) {
    return --*static_cast<int64_t*>(left) < 0 ? PCRE2_ERROR_MATCHLIMIT : 0;
  };
  pcre2_set_callout(context.get(), count, &steps_left);
  const int result =
      pcre2_match(code_.get(), PCRE2_SPTR(module.data()), module.size(), 0, 0, data.get(), context.get());
  require(result >= 0 || result == PCRE2_ERROR_NOMATCH,
          "[lora] {}: expected patterns that are soon decided, got '{}' (PCRE2: {})", place_, key_, result);
  return result >= 0;
}

}  // namespace fude
