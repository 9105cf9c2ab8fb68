// How vocabularies write bytes as printable characters.
//
// Hugging Face's byte-level alphabet: bytes that are printable in Latin-1 (33-126, 161-172, 174-255) stand for
// themselves; the other 68 are written as the code points from 256 on, in rising order, so the blank is Ġ.
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

// SentencePiece's names: ▁ (U+2581) stands for a blank, <0x0A> for a byte.
inline constexpr std::string_view kBlankMark = "\xE2\x96\x81";
std::string piece_of_byte(uint8_t byte);
std::optional<uint8_t> byte_of_piece(std::string_view piece);
// `text` with every `from` replaced by `to`; `from` is not empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

}  // namespace fude
