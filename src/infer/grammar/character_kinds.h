// Kinds of plain characters, which lexemes mostly treat alike, as bits: some groups of ASCII, and beyond it the classes
// of Unicode that patterns name (text/unicode.h).
#pragma once

#include <cstdint>

namespace fude::grammar {

using Kinds = uint64_t;
constexpr int kCharacterKinds = 38;
constexpr Kinds kAllKinds = (Kinds(1) << kCharacterKinds) - 1;
constexpr int kFirstWideKind = 29;  // of those beyond ASCII

int kind_of(uint32_t code_point);
constexpr Kinds bit_of(int kind) { return Kinds(1) << kind; }

}  // namespace fude::grammar
