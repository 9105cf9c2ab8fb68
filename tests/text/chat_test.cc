#include "tests/support/chat_case.h"

namespace fude {
namespace {

// Markers like Fude's own are no reason to pass over what the file says.
TEST(Chat, StopsAtTheTokensOfItsFileToo) {
  TokenizerData data = byte_tokenizer().data();
  data.end_tokens = {7, 256};
  const std::vector<TokenId> stops = Chat(Tokenizer(data)).stops();
  EXPECT_EQ(stops, (std::vector<TokenId>{259, 257, 256, 7}));
}

}  // namespace
}  // namespace fude
