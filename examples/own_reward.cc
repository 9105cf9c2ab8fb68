// A reward of one's own: own_reward MODEL PROMPT. Draws eight answers, scores each with the function below,
// and keeps the best: best-of-n, the simplest use of a reward. An answer depends on (seed, position) alone,
// so a winner can be had again.
#include <fude/generate.h>
#include <fude/text.h>

#include <cstdio>
#include <set>
#include <sstream>

using namespace fude;

// Variety: how many of the words are different. Any function from text to a number will do.
double reward(const std::string& text) {
  std::istringstream words(text);
  std::set<std::string> different;
  int64_t count = 0;
  for (std::string word; words >> word; ++count) different.insert(word);
  return count == 0 ? 0 : double(different.size()) / double(count);
}

int main(int argc, char** argv) try {
  require(argc == 3, "usage: own_reward MODEL PROMPT");
  Device device;
  const auto [tokenizer, model] = load_for_use(device, argv[1]);
  Engine engine(*model, default_kernels());
  Request request{.prompt = tokenizer.encode(argv[2]), .sampling = {.temperature = 1.0}, .max_tokens = 24};
  if (const auto end = tokenizer.find_special("<|endoftext|>")) request.stop_tokens.push_back(*end);

  std::string best;
  double most = -1;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    request.sampling.seed = seed;
    const Answer candidate = answer(engine, tokenizer, request);
    const double score = reward(candidate.text);
    std::printf("seed %llu  reward %.3f\n", (unsigned long long)seed, score);
    if (score > most) most = score, best = candidate.text;
  }
  std::printf("%s%s\n", argv[2], best.c_str());
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
