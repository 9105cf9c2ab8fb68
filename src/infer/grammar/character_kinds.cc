#include "infer/grammar/character_kinds.h"

#include <array>
#include <string_view>

#include "text/unicode.h"

namespace fude::grammar {
namespace {

constexpr std::string_view kGroups[] = {"abcdef",     "ghijklmnopqrstuvwxyz",
                                        "ABCDEF",     "GHIJKLMNOPQRSTUVWXYZ",
                                        "0123456789", " ",
                                        "-",          "_",
                                        ".",          ",",
                                        ":",          ";",
                                        "/",          "@",
                                        "'",          "()",
                                        "[]",         "{}",
                                        "<>",         "+",
                                        "=",          "*",
                                        "&",          "#",
                                        "%",          "!?",
                                        "$",          "|"};
constexpr int kOthers = int(std::size(kGroups));
static_assert(kOthers + 1 == kFirstWideKind && kFirstWideKind + int(CharClass::space) + 1 == kCharacterKinds);

constexpr std::array<uint8_t, 0x80> kKindOfAscii = [] {
  std::array<uint8_t, 0x80> kinds{};
  for (size_t c = 0; c < kinds.size(); ++c) {
    kinds[c] = kOthers;
    for (size_t group = 0; group < std::size(kGroups); ++group)
      if (kGroups[group].find(char(c)) != std::string_view::npos) kinds[c] = uint8_t(group);
  }
  return kinds;
}();

}  // namespace

int kind_of(uint32_t code_point) {
  return code_point < 0x80 ? kKindOfAscii[code_point] : kFirstWideKind + int(class_of(code_point));
}

}  // namespace fude::grammar
