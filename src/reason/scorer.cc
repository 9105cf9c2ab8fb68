#include "reason/scorer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/folder.h"
#include "model/load.h"
#include "ops/classifier_loss.h"
#include "tensor/safetensors.h"

namespace fude {
namespace {

constexpr double kSurest = 30;  // log odds where f32 rounds p to 1
constexpr const char *kHeadName = "score.weight", *kMixName = "score.mix";

Parameter new_head(const Transformer& trunk) {
  return Parameter(trunk.device(), kHeadName, Parameter::Layout::panels, {{kHeadName, 2}}, trunk.config().width);
}

}  // namespace

ScorerModel make_scorer(std::unique_ptr<Transformer> trunk) {
  Parameter head = new_head(*trunk);
  return {std::move(trunk), std::move(head), {}};
}

ScorerModel load_scorer(Device& device, const std::string& folder) {
  const std::string path = folder + "/" + kScorerFile;
  require(file_exists(path), "[scorer] expected {} in {}; `fude scorer` makes one", kScorerFile, folder);
  ScorerModel scorer = make_scorer(load_model(device, folder, {.compute = DType::f32, .keeps_master = true}));
  const SafetensorsFile file(path);
  const int64_t width = scorer.trunk->config().width;
  require(file.entry(kHeadName).shape == std::vector<int64_t>({2, width}), "[scorer] {}: expected {} to be 2 x {}",
          path, kHeadName, width);
  scorer.head_2C.set_rows(0, 2, file.read_f32(kHeadName).data());
  if (!file.has(kMixName)) return scorer;
  require(file.entry(kMixName).shape == std::vector<int64_t>({3}), "[scorer] {}: expected {} to have 3 numbers", path,
          kMixName);
  const std::vector<float> mix = file.read_f32(kMixName);
  require(std::ranges::all_of(mix, [](float x) { return std::isfinite(x); }), "[scorer] {}: expected numbers at {}",
          path, kMixName);
  scorer.mix = {mix[0], mix[1], mix[2]};
  return scorer;
}

void require_can_judge(const ScorerModel& scorer, const Transformer& model, int64_t prompt_tokens, int64_t max_tokens,
                       std::string_view option) {
  const int64_t context = model.config().context;
  const int64_t tokens = std::min(std::min(max_tokens, context) + prompt_tokens, context);
  const ModelConfig& judge = scorer.trunk->config();
  require(judge.vocabulary == model.config().vocabulary, "[scorer] expected a scorer with {} tokens, got {}",
          model.config().vocabulary, judge.vocabulary);
  require(judge.context >= tokens, "[scorer] expected a scorer that can read {} tokens, it reads {}: give a smaller {}",
          tokens, judge.context, option);
}

void save_scorer(const ScorerModel& scorer, const std::string& folder, const FolderFiles& beside) {
  make_directories(folder);
  const Parameter& head = scorer.head_2C;
  write_safetensors(folder + "/" + kScorerFile,
                    {{.name = kHeadName,
                      .shape = {2, head.cols()},
                      .fill =
                          [&](const SafetensorsOutput::Put& put) {
                            std::vector<float> rows(size_t(2 * head.cols()));
                            head.get_rows(0, 2, rows.data());
                            put(rows);
                          }},
                     {.name = kMixName, .shape = {3}, .fill = [&](const SafetensorsOutput::Put& put) {
                        put(std::vector{scorer.mix.verdict, scorer.mix.likelihood, scorer.mix.bias});
                      }}});
  save_model(*scorer.trunk, folder, beside);
}

AnswerToScore answer_to_score(const std::vector<int32_t>& prompt, std::span<const int32_t> answer, double logprob) {
  AnswerToScore whole{prompt, logprob};
  whole.tokens.insert(whole.tokens.end(), answer.begin(), answer.end());
  return whole;
}

std::vector<double> verdicts(const ScorerModel& scorer, const Kernels& kernels,
                             const std::vector<AnswerToScore>& answers, int64_t block_tokens) {
  const Transformer& trunk = *scorer.trunk;
  std::vector<double> odds;
  for (size_t next = 0; next < answers.size();) {
    TokenBatch batch;
    std::vector<int32_t> targets_N;
    batch.sequence_starts = {0};
    for (; next < answers.size(); ++next) {
      const std::vector<int32_t>& tokens = answers[next].tokens;
      require(!tokens.empty() && int64_t(tokens.size()) <= trunk.config().context,
              "[scorer] expected 1 to {} tokens, got {}", trunk.config().context, tokens.size());
      if (batch.size() > 0 && batch.size() + int64_t(tokens.size()) > block_tokens) break;
      for (size_t i = 0; i < tokens.size(); ++i) {
        require(tokens[i] >= 0 && tokens[i] < trunk.config().vocabulary, "[scorer] expected tokens below {}, got {}",
                trunk.config().vocabulary, tokens[i]);
        batch.tokens_N.push_back(tokens[i]);
        batch.positions_N.push_back(int32_t(i));
        targets_N.push_back(i + 1 == tokens.size() ? kRight : -1);
      }
      batch.sequence_starts.push_back(int32_t(batch.size()));
    }
    const Pass pass{trunk.device(), kernels};
    BatchKv kv;
    const auto loss_N = classifier_loss(pass, trunk.forward(pass, batch, kv), scorer.head_2C, targets_N);
    for (size_t s = 1; s < batch.sequence_starts.size(); ++s) {
      const double log_right = -double(loss_N[size_t(batch.sequence_starts[s]) - 1]);
      require(std::isfinite(log_right),
              "[scorer] expected a number from the scorer, got {}: its weights are no good; take an earlier checkpoint "
              "of it, or train it again with a lower learning rate",
              log_right);
      odds.push_back(std::min(kSurest, log_right - std::log(-std::expm1(log_right))));
    }
  }
  return odds;
}

std::vector<double> score_sequences(const ScorerModel& scorer, const Kernels& kernels,
                                    const std::vector<AnswerToScore>& answers) {
  std::vector<double> scores = verdicts(scorer, kernels, answers);
  for (size_t i = 0; i < scores.size(); ++i) {
    const double odds = double(scorer.mix.verdict) * scores[i] + double(scorer.mix.likelihood) * answers[i].logprob +
                        double(scorer.mix.bias);
    scores[i] = -std::log1p(std::exp(-odds));
  }
  return scores;
}

}  // namespace fude
