// Filters that go over the items of a sequence or mapping.
#pragma once

#include <map>
#include <string_view>

#include "text/template/syntax.h"

namespace fude::jinja {

void add_sequence_filters(std::map<std::string_view, Builtin>& filters);

}  // namespace fude::jinja
