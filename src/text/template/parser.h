// Tokens to a tree: Jinja's grammar of statements, and of expressions with its precedences.
#pragma once

#include <string_view>

#include "text/template/limits.h"
#include "text/template/syntax.h"

namespace fude::jinja {

// Error, with the line, for what is no template of the language that chat_template.h describes.
Program parse(std::string_view source, const TemplateLimits& limits);

}  // namespace fude::jinja
