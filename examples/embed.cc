// A model inside an application: embed MODEL. The application here is a filter that looks for odd lines: it
// reads lines and prints each with its bits per byte under the model, the oddest first. All that the rest of
// a program needs to see of Fude is the class `Oddity`; a bad model is an exception, never an exit.
#include <fude/generate.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

class Oddity {
 public:
  explicit Oddity(const std::string& path) : loaded_(fude::load_for_use(device_, path)) {}

  // Bits per byte of a line: how much the model is surprised by what stands behind its first token and still fits into
  // the context. 0 for lines of one token, which have no past.
  double of(const std::string& line) const {
    std::vector<fude::TokenId> tokens = loaded_.tokenizer.encode(line);
    tokens.resize(std::min(tokens.size(), size_t(loaded_.model->config().context)));
    if (tokens.size() < 2) return 0;
    double nats = 0, bytes = 0;
    for (const float logprob : fude::score(*loaded_.model, fude::default_kernels(), tokens)) nats -= logprob;
    for (size_t i = 1; i < tokens.size(); ++i) bytes += double(loaded_.tokenizer.bytes_of(tokens[i]).size());
    return nats / std::log(2.0) / bytes;
  }

 private:
  fude::Device device_;
  fude::LoadedModel loaded_;
};

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: embed MODEL\n"), 2;
  try {
    const Oddity oddity(argv[1]);
    std::vector<std::pair<double, std::string>> lines;
    for (std::string line; std::getline(std::cin, line);) lines.emplace_back(oddity.of(line), line);
    std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [bits, line] : lines) std::printf("%6.3f  %s\n", bits, line.c_str());
  } catch (const fude::Error& error) {
    std::fprintf(stderr, "embed: %s\n", error.what());
    return 1;
  }
}
