// What a template may cost. Templates and conversations come from strangers; whatever they hold, rendering ends, and
// ends soon. Steps stand in for time: a count is the same on every machine, a clock is not.
#pragma once

#include <cstdint>

namespace fude {

struct TemplateLimits {
  uint64_t source_bytes = uint64_t(1) << 20;
  int nesting = 200;                           // of the template's blocks and expressions, one in the other
  int value_nesting = 100;                     // of lists and mappings
  int evaluation_depth = 600;                  // expressions and blocks under way at once, through macro calls
  uint64_t steps = 50'000'000;                 // about one per expression, block and 32 bytes of text
  uint64_t value_bytes = uint64_t(512) << 20;  // of all values made, together
  uint64_t output_bytes = uint64_t(64) << 20;
};

}  // namespace fude
