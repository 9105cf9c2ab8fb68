// Which modules a key of PEFT's rank_pattern or alpha_pattern means: those for whose name Python's
//
//     re.match(rf"(.*\.)?({key})$", name)
//
// finds something. Keys that are names, the most of them, are compared here; others are PCRE2's, without what it reads
// otherwise than Python does. A pattern is a stranger's: its length is limited, and so are the steps that all matches
// of an adapter take together.
#pragma once

#include <memory>
#include <string>

struct pcre2_real_code_8;

namespace fude {

class ModulePattern {
 public:
  // Error, naming `place`, if the key is no regular expression, or one that may mean something else to Python.
  ModulePattern(const std::string& key, const std::string& place);

  // Takes its steps off those left. Error if it needs more.
  bool matches(const std::string& module, int64_t& steps_left) const;

 private:
  std::string key_, place_;
  std::shared_ptr<const pcre2_real_code_8> code_;  // none: a name
};

inline constexpr int64_t kPatternSteps = 20'000'000;

}  // namespace fude
