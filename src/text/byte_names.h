// The byte-level alphabet: how Hugging Face files write bytes as printable characters.
//
// Bytes that are printable in Latin-1 (33-126, 161-172, 174-255) stand for themselves; the other 68 are
// written as the code points from 256 on, in rising order, so the blank is Ġ.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fude {

// Code point of each byte.
const std::array<uint32_t, 256>& byte_code_points();
// All bytes sorted by their code points: the order in which a trained vocabulary lists them.
std::array<uint8_t, 256> bytes_in_name_order();

std::string name_of_bytes(std::string_view bytes);
// Nothing if a character of the name stands for no byte.
std::optional<std::string> bytes_of_name(std::string_view name);

}  // namespace fude
