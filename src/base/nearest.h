// "Did you mean …?": the known name that a mistyped one is nearest to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fude {

// Single characters to insert, remove, replace, or swap with their neighbour until `a` is `b` (each place
// edited once: optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of the names, the first of equals; empty if none is near enough to be meant (a third of the letters).
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

// "; did you mean 'width'?", or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace fude
