#include "reason/sample.h"

#include <algorithm>
#include <exception>

#include "base/error.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr int64_t kChoicesOfARequest = 128;

// Hands in requests as the queue has room, and steps until all have ended.
class Sampling {
 public:
  Sampling(Engine& engine, const std::vector<std::vector<int32_t>>& prompts, const std::vector<int32_t>& stops,
           const SampleOptions& options)
      : engine_(engine), prompts_(prompts), stops_(stops), options_(options), requests_(prompts.size()) {
    for (size_t question = 0; question < prompts.size(); ++question) answers_.emplace_back(size_t(options.answers));
  }

  std::vector<std::vector<SampledAnswer>> run() {
    size_t question = 0;
    int64_t first = 0;
    try {
      while (true) {
        while (question < prompts_.size() && submit(question, first)) {
          first += kChoicesOfARequest;
          if (first >= options_.answers) ++question, first = 0;
        }
        if (!engine_.step() && question == prompts_.size()) break;
        for (RequestId id : std::exchange(unneeded_, {})) engine_.cancel(id);
        if (failure_) break;
        if (options_.cancel != nullptr && options_.cancel->load()) break;
      }
    } catch (...) { failure_ = std::current_exception(); }
    // The engine calls this object for as long as a request is left.
    for (const auto& ids : requests_)
      for (RequestId id : ids) engine_.cancel(id);
    engine_.run();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(answers_);
  }

 private:
  bool submit(size_t question, int64_t first) {
    Request request{.prompt = prompts_[question],
                    .sampling = options_.sampling,
                    .max_tokens = options_.max_tokens,
                    .stop_tokens = stops_,
                    .choices = std::min(kChoicesOfARequest, options_.answers - first),
                    .adapter = options_.adapter};
    request.sampling.seed += (uint64_t(question) << 32) + uint64_t(first);
    if (options_.mask)
      request.mask = [this, question, first](int64_t choice) { return options_.mask(question, first + choice); };
    const auto answer_of = [this, question, first](int64_t choice) -> SampledAnswer& {
      return answers_[question][size_t(first + choice)];
    };
    const Submission submission =
        engine_.submit(std::move(request), {.token =
                                                [answer_of](const AnswerToken& token) {
                                                  answer_of(token.choice).tokens.push_back(token.sampled);
                                                  return true;
                                                },
                                            .finish =
                                                [this, answer_of, question, first](const Finish& finish) {
                                                  SampledAnswer& answer = answer_of(finish.choice);
                                                  answer.reason = finish.reason;
                                                  if (finish.stop_token) answer.tokens.push_back(*finish.stop_token);
                                                  if (finish.cause && !failure_) failure_ = finish.cause;
                                                  ended(question, first + finish.choice, answer);
                                                }});
    if (submission.is_accepted()) requests_[question].push_back(submission.id);
    return submission.is_accepted();
  }

  void ended(size_t question, int64_t number, const SampledAnswer& answer) {
    if (!options_.on_answer || answer.reason == FinishReason::cancelled) return;
    if (!options_.on_answer(question, number, answer))
      unneeded_.insert(unneeded_.end(), requests_[question].begin(), requests_[question].end());
  }

  Engine& engine_;
  const std::vector<std::vector<int32_t>>& prompts_;
  const std::vector<int32_t>& stops_;
  const SampleOptions& options_;
  std::vector<std::vector<SampledAnswer>> answers_;
  std::vector<std::vector<RequestId>> requests_;  // of each question
  std::vector<RequestId> unneeded_;
  std::exception_ptr failure_;
};

}  // namespace

double SampledAnswer::logprob() const {
  double sum = 0;
  for (const SampledToken& token : tokens) sum += double(token.logprob);
  return sum;
}

std::vector<int32_t> SampledAnswer::ids() const {
  std::vector<int32_t> ids;
  for (const SampledToken& token : tokens) ids.push_back(token.token);
  return ids;
}

std::vector<std::vector<SampledAnswer>> sample_answers(Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                                                       const std::vector<int32_t>& stops,
                                                       const SampleOptions& options) {
  require(options.answers >= 1, "[sample] expected at least one answer to each question, got {}", options.answers);
  return Sampling(engine, prompts, stops, options).run();
}

EngineOptions sampling_engine(const ModelConfig& model, int64_t batch, int64_t max_tokens, int64_t prompt_tokens) {
  constexpr int64_t kMostAtOnce = 1 << 16;
  require(batch >= 1 && batch <= kMostAtOnce, "[sample] expected 1 to {} answers at a time, got {}", kMostAtOnce,
          batch);
  return {.cache_tokens = batch * std::min(model.context, std::min(model.context, max_tokens) + prompt_tokens),
          .batch = batch,
          .step_seconds = 0,
          .queued_tokens = int64_t(1) << 26};
}

std::string text_of(const Tokenizer& tokenizer, const SampledAnswer& answer) {
  std::vector<TokenId> ids = answer.ids();
  if (answer.has_ended() && !ids.empty()) ids.pop_back();
  std::erase_if(ids, [&](TokenId id) { return !tokenizer.has(id); });
  return replace_invalid(tokenizer.decode(ids));
}

}  // namespace fude
