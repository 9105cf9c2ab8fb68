// A conversation on standard input and output: chat MODEL (a folder or a GGUF file). Each line is answered as it
// streams; the engine knows the keys and values of earlier turns, so only what is new runs. Models without a chat
// template simply continue the text.
#include <fude/generate.h>
#include <fude/text.h>

#include <iostream>

using namespace fude;

int main(int argc, char** argv) try {
  require(argc == 2, "usage: chat MODEL");
  Device device;
  const LoadedModel loaded = load_for_use(device, argv[1]);
  Engine engine(*loaded.model, default_kernels());
  const Chat chat(loaded.tokenizer);
  const bool is_chat = chat.can_chat();

  Json messages = Json::array();
  std::string text;
  for (std::string line; std::getline(std::cin, line);) {
    messages.push_back({{"role", "user"}, {"content", line}});
    text += line;
    const Request request{.prompt = is_chat ? chat.tokens(messages) : loaded.tokenizer.encode(text),
                          .sampling = {.temperature = 0.7, .top_p = 0.95},
                          .max_tokens = is_chat ? 256 : 24,
                          .stop_tokens = chat.stops()};
    const Answer reply = answer(engine, loaded.tokenizer, request,
                                {.text = [](const std::string& piece) { std::cout << piece << std::flush; }});
    std::cout << "\n";
    if (reply.reason == FinishReason::context) break;
    messages.push_back({{"role", "assistant"}, {"content", reply.text}});
    text += reply.text;
  }
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
