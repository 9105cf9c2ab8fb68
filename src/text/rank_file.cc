// Rank files (.tiktoken): one entry a line, its bytes in base64, a blank, its rank, which is its id.
#include <algorithm>

#include "base/error.h"
#include "text/base64.h"
#include "text/tokenizer_file.h"

namespace fude {

std::vector<std::string> parse_ranks(std::string_view text, std::string_view where) {
  std::vector<std::string> tokens;
  // An entry has one blank.
  const size_t rank_limit = size_t(std::count(text.begin(), text.end(), ' ')) + kLargestIdGap;
  size_t line = 0;
  while (!text.empty()) {
    ++line;
    const size_t stop = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, stop);
    text.remove_prefix(std::min(stop + 1, text.size()));
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const size_t blank = row.find(' ');
    require(blank != std::string_view::npos && blank > 0, "[{}:{}] expected base64, a blank and a rank", where, line);
    size_t rank = 0;
    require(blank + 1 < row.size() && row.size() - blank <= 10,
            "[{}:{}] expected a rank of one to nine digits behind the blank", where, line);
    for (const char c : row.substr(blank + 1)) {
      require(c >= '0' && c <= '9', "[{}:{}] expected a rank of decimal digits", where, line);
      rank = rank * 10 + size_t(c - '0');
    }
    require(rank < rank_limit, "[{}:{}] expected ranks below {} (entries and a gap), got {}", where, line, rank_limit,
            rank);
    if (rank >= tokens.size()) tokens.resize(rank + 1);
    require(tokens[rank].empty(), "[{}:{}] the rank {} stands twice", where, line, rank);
    tokens[rank] = from_base64(row.substr(0, blank), fmt::format("{}:{}", where, line));
    require(!tokens[rank].empty() && tokens[rank].size() <= kLongestToken,
            "[{}:{}] expected an entry of 1 to {} bytes, got {}", where, line, kLongestToken, tokens[rank].size());
  }
  require(!tokens.empty(), "[{}] expected at least one entry", where);
  return tokens;
}

std::string ranks_text(const std::vector<std::string>& tokens) {
  std::string out;
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank].empty()) continue;
    append_base64(out, tokens[rank]);
    out += fmt::format(" {}\n", rank);
  }
  return out;
}

}  // namespace fude
