// The answer of many: which of equal answers has the largest sum of weights (Wang et al., "Self-consistency improves
// chain of thought reasoning", 2022). With all weights 1 it is the majority; with a scorer's it is the weighted vote.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fude {

class Vote {
 public:
  struct Answer {
    std::string key;     // equal for equal answers
    size_t example = 0;  // the first that gave it, as the voter numbered it
    int64_t count = 0;
    double weight = 0;
  };

  // An empty key is a vote for nobody.
  void add(const std::string& key, size_t number, double weight = 1);
  // The most weight first, of equals the one that came first.
  std::vector<Answer> ranking() const;
  // Whether so many more votes of weight 1 cannot change who is first.
  bool is_decided(int64_t left) const;

 private:
  std::vector<Answer> answers_;
};

}  // namespace fude
