// A conversation on standard input and output: chat MODEL. Each line is answered as it streams; the engine knows the
// keys and values of earlier turns, so only what is new runs. Models without turn markers simply continue the text.
#include <fude/generate.h>
#include <fude/text.h>

#include <iostream>
#include <optional>

using namespace fude;

int main(int argc, char** argv) try {
  require(argc == 2, "usage: chat MODEL");
  Device device;
  const Tokenizer tokenizer = Tokenizer::load(argv[1]);
  const auto model = load_model(device, argv[1]);
  Engine engine(*model, default_kernels());

  std::optional<ChatFormat> format;
  if (ChatFormat::is_in(tokenizer)) format.emplace(tokenizer);
  Request request{.sampling = {.temperature = 0.7, .top_p = 0.95}, .max_tokens = 24};
  if (format) request.stop_tokens = format->stops();

  std::vector<TokenId> conversation;
  for (std::string line; std::getline(std::cin, line);) {
    const std::vector<TokenId> turn = format ? format->user_turn(line) : tokenizer.encode(line);
    conversation.insert(conversation.end(), turn.begin(), turn.end());
    request.prompt = conversation;
    const Answer reply =
        answer(engine, tokenizer, request, {.text = [](const std::string& text) { std::cout << text << std::flush; }});
    std::cout << "\n";
    if (reply.reason == FinishReason::context) break;
    conversation.insert(conversation.end(), reply.tokens.begin(), reply.tokens.end());
    if (format) conversation.push_back(format->end());
  }
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
