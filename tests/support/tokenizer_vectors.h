// llama.cpp's tokenizer vectors, models/ggml-vocab-NAME.gguf.inp and .out of its sources: texts with a line between
// them, and a line of ids for each.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "text/tokenizer.h"

namespace fude {

// `stem` is a path without .inp and .out.
inline void expect_tokenizer_vectors(const Tokenizer& tokenizer, const std::string& stem) {
  const std::string texts = read_file(stem + ".inp"), border = "\n__ggml_vocab_test__\n";
  std::istringstream lines(read_file(stem + ".out"));
  size_t count = 0;
  for (size_t at = 0; at < texts.size(); ++count) {
    const size_t stop = std::min(texts.find(border, at), texts.size());
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << stem << ": no ids for the text " << count;
    std::istringstream numbers(line);
    const std::vector<TokenId> ids{std::istream_iterator<TokenId>(numbers), {}};
    EXPECT_EQ(tokenizer.encode(std::string_view(texts).substr(at, stop - at)), ids) << stem << " " << count;
    at = stop + border.size();
  }
  EXPECT_GT(count, 40u) << stem;
}

}  // namespace fude
