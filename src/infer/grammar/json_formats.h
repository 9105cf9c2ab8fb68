// The formats of strings that a grammar can hold exactly, as regular expressions.
//
// After JSON Schema 2020-12 (validation, section 7.3) and the documents it names: RFC 3339 dates and times, RFC 5321
// addresses (without quoted names), RFC 1123 host names, RFC 4122 UUIDs, RFC 2673 and 4291 addresses, and RFC 3986
// URIs. Where a format leaves several ways to write one value, what is offered is inside it.
#pragma once

#include <string_view>

namespace fude::grammar {

// The expression that matches the whole string, or nothing for a format that is not supported.
std::string_view format_pattern(std::string_view format);

}  // namespace fude::grammar
