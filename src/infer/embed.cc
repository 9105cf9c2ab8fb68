#include "infer/embed.h"

namespace fude {
namespace {

// Outlives the call if it ends with an error while requests are on their way.
struct Embeddings {
  std::vector<std::vector<float>> rows;
  size_t finished = 0;
  std::exception_ptr cause{};
};

}  // namespace

std::vector<std::vector<float>> embed(Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                                      const EmbeddingOptions& options, const std::string& adapter) {
  const auto all = std::make_shared<Embeddings>();
  all->rows.resize(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    const RequestEvents events{.embedding = [=](const std::vector<float>& row_C) { all->rows[i] = row_C; },
                               .finish =
                                   [=](const Finish& finish) {
                                     ++all->finished;
                                     if (finish.cause) all->cause = finish.cause;
                                   }};
    const Request request{.prompt = prompts[i], .max_tokens = 0, .adapter = adapter, .embedding = options};
    while (!engine.submit(request, events).is_accepted()) engine.step();
  }
  while (all->finished < prompts.size()) engine.step();
  if (all->cause) std::rethrow_exception(all->cause);
  return all->rows;
}

}  // namespace fude
