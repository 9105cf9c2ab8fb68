// Bytes as base64 text, with padding: how rank files and tokenizer.json carry bytes.
#pragma once

#include <string>
#include <string_view>

namespace fude {

// `where` names the place in the error for text that is not base64.
std::string from_base64(std::string_view text, std::string_view where);
void append_base64(std::string& out, std::string_view bytes);

}  // namespace fude
