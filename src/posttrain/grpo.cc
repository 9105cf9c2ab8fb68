#include "posttrain/grpo.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "posttrain/placed_answers.h"
#include "train/step.h"

namespace fude {
namespace {

constexpr uint64_t kQuestionStream = 0x71756573, kAnswerStream = 0x616E7377, kDealStream = 0x6465616C;

// The chosen answers as blocks; `number` counts among the chosen.
PlacedAnswers place(const std::vector<Rollout>& answers, const std::vector<size_t>& chosen, int64_t block_tokens,
                    int64_t slots) {
  std::vector<AnswerTokens> tokens;
  for (size_t number : chosen) tokens.push_back({answers[number].prompt, answers[number].answer});
  return place_answers(tokens, block_tokens, slots);
}

// Calls see(answer, number of the token in it, row) for every target of a block.
template <class See>
void for_targets(const std::vector<PlacedAnswers::Answer>& placed, const std::vector<size_t>& chosen,
                 const std::vector<Rollout>& answers, const See& see) {
  for (const auto& [number, first_row] : placed)
    for (size_t j = 0; j < answers[chosen[number]].answer.size(); ++j) see(chosen[number], j, size_t(first_row) + j);
}

std::vector<size_t> all_of(size_t count) {
  std::vector<size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), size_t(0));
  return numbers;
}

void require_equal(double difference) {
  require(difference == 0,
          "[grpo] the trainer's log-probabilities differ from the sampler's by up to {}: this must not happen; please "
          "report it with the model and the machine",
          difference);
}

Json json_of(const Rollout& r) {
  return {{"prompt", r.prompt}, {"answer", r.answer},     {"logprobs", r.logprobs},        {"reference", r.reference},
          {"reward", r.reward}, {"is_right", r.is_right}, {"is_truncated", r.is_truncated}};
}

Rollout rollout_from(const Json& json, std::string_view where) try {
  return {json.at("prompt").get<std::vector<int32_t>>(),
          json.at("answer").get<std::vector<int32_t>>(),
          json.at("logprobs").get<std::vector<float>>(),
          json.at("reference").get<std::vector<float>>(),
          json.at("reward").get<double>(),
          json.at("is_right").get<bool>(),
          json.at("is_truncated").get<bool>()};
} catch (const Json::exception& error) { fail("[{}] a saved answer is damaged: {}", where, error.what()); }

}  // namespace

GrpoBatches::GrpoBatches(Parts parts, GrpoOptions options, const std::atomic<bool>* cancel)
    : parts_(std::move(parts)), options_(options), cancel_(cancel) {
  const GrpoOptions& o = options_;
  require(o.questions >= 1 && o.answers >= 2,
          "[grpo] expected questions, and at least 2 answers to each, got {} and {}", o.questions, o.answers);
  // Each has something to learn from, even if the answers to one question are all there is.
  require(
      o.minibatches >= 1 && o.minibatches <= o.answers && o.epochs >= 1,
      "[grpo] expected 1 to {} minibatches, as many as there are answers to a question, and at least one epoch, got "
      "{} and {}",
      o.answers, o.minibatches, o.epochs);
  require(o.most_rounds >= 1, "[grpo] expected at least one round of asking, got {}", o.most_rounds);
  require(o.temperature > 0, "[grpo] expected a temperature above 0, got {}", o.temperature);
  require(o.overlong_from >= 0 && o.overlong_from <= o.max_tokens,
          "[grpo] expected overlong answers from 0 to {}, got {}", o.max_tokens, o.overlong_from);
  if (o.policy.kl != 0 && parts_.reference == nullptr) {
    require(parts_.adapter != nullptr, "[grpo] expected a reference model for the kl");
    parts_.reference = &parts_.model;
  }
}

double GrpoBatches::reward_of(const GradedAnswer& answer) const {
  double reward = answer.is_right ? 1 : 0;
  const auto size = int64_t(answer.tokens.size());
  if (options_.overlong_from > 0 && size > options_.overlong_from)
    reward -= double(size - options_.overlong_from) /
              double(std::max<int64_t>(1, options_.max_tokens - options_.overlong_from));
  return reward;
}

bool GrpoBatches::roll_out() {
  const double began = now_seconds();
  const int64_t drawn_before = drawn_;
  Rollouts made;
  std::vector<Rollout> equal;
  int64_t wanted = options_.questions;
  parts_.engine.weights_changed();
  for (int64_t round = 0; round < options_.most_rounds && wanted > 0; ++round) {
    std::vector<Question> questions;
    std::vector<std::vector<int32_t>> prompts;
    for (int64_t i = 0; i < wanted; ++i) {
      questions.push_back(practice_at(parts_.task, options_.seed, kQuestionStream, uint64_t(drawn_ + i)).question);
      prompts.push_back(parts_.chat.question(questions.back().prompt, options_.enable_thinking));
    }
    SampleOptions sample{
        .answers = options_.answers, .max_tokens = options_.max_tokens, .adapter = parts_.adapter_name};
    sample.sampling.temperature = options_.temperature;
    sample.sampling.seed = Random{options_.seed, kAnswerStream, uint64_t(drawn_)}.bits();
    sample.cancel = cancel_;
    const auto answers = sample_answers(parts_.engine, prompts, parts_.chat.stops(), sample);
    if (cancel_ != nullptr && cancel_->load()) return drawn_ = drawn_before, false;
    drawn_ += wanted;
    for (size_t q = 0; q < questions.size(); ++q) {
      std::vector<Rollout> group;
      for (const SampledAnswer& answer : answers[q]) {
        const GradedAnswer graded =
            grade(parts_.task, questions[q], parts_.chat.tokenizer(), answer, parts_.chat.opens_thought(prompts[q]));
        Rollout one{prompts[q], graded.tokens, {}, {}, reward_of(graded), graded.is_right, graded.is_truncated};
        for (const SampledToken& token : answer.tokens) one.logprobs.push_back(token.logprob);
        made.reward += one.reward, made.right += one.is_right ? 1 : 0, made.truncated += one.is_truncated ? 1 : 0;
        made.tokens += double(one.answer.size());
        if (made.shown.empty()) {
          made.question = questions[q].prompt;
          made.shown =
              fmt::format("\n{}\n({}, reward {:g})", graded.text, graded.is_right ? "right" : "wrong", one.reward);
        }
        group.push_back(std::move(one));
      }
      ++made.groups_asked;
      const bool is_equal =
          std::ranges::all_of(group, [&](const Rollout& r) { return r.reward == group.front().reward; });
      made.groups_equal += is_equal ? 1 : 0;
      auto& place = is_equal && options_.skips_equal_groups ? equal : made.answers;
      place.insert(place.end(), group.begin(), group.end());
    }
    wanted = options_.questions - int64_t(made.answers.size()) / options_.answers;
  }
  // A step needs something to look at, even where there is nothing to learn.
  if (made.answers.empty()) made.answers.assign(equal.begin(), equal.begin() + options_.answers);
  const double asked = double(made.groups_asked * options_.answers);
  made.reward /= asked, made.right /= asked, made.truncated /= asked;
  made.tokens /= asked;
  made.seconds = now_seconds() - began;
  rollouts_ = std::move(made);
  look_again();
  return true;
}

// What the trainer must know of the answers before the weights change for the first time.
void GrpoBatches::look_again() {
  const bool needs_behaviour = options_.minibatches * options_.epochs > 1 || options_.temperature != 1;
  if (!needs_behaviour && options_.policy.kl == 0) return;
  const std::vector<size_t> all = all_of(rollouts_.answers.size());
  const PlacedAnswers placed = place(rollouts_.answers, all, options_.block_tokens, /*slots=*/1);
  const auto logprobs_of = [&](const Transformer& model, const TokenBlock& block, const Adapter* adapter,
                               double temperature) {
    return target_logprobs(model, parts_.kernels, block, adapter, float(1 / temperature));
  };
  for (size_t b = 0; b < placed.blocks.size(); ++b) {
    const TokenBlock& block = placed.blocks[b];
    const auto for_all = [&](const auto& see) { for_targets(placed.answers[b], all, rollouts_.answers, see); };
    if (needs_behaviour) {
      std::vector<float> now_N = logprobs_of(parts_.model, block, parts_.adapter, 1);
      double difference = 0;
      for_all([&](size_t answer, size_t j, size_t row) {
        difference = std::max(difference, std::abs(double(now_N[row]) - double(rollouts_.answers[answer].logprobs[j])));
      });
      require_equal(difference);
      if (options_.temperature != 1) now_N = logprobs_of(parts_.model, block, parts_.adapter, options_.temperature);
      for_all([&](size_t answer, size_t j, size_t row) { rollouts_.answers[answer].logprobs[j] = now_N[row]; });
    }
    if (options_.policy.kl == 0) continue;
    const bool is_own = parts_.reference == &parts_.model;
    require(!is_own || parts_.adapter != nullptr, "[grpo] a model cannot be its own reference");
    const std::vector<float> reference_N = logprobs_of(*parts_.reference, block, nullptr, options_.temperature);
    for_all([&](size_t answer, size_t j, size_t row) {
      auto& reference = rollouts_.answers[answer].reference;
      reference.resize(rollouts_.answers[answer].answer.size());
      reference[j] = reference_N[row];
    });
  }
}

Batch GrpoBatches::next() {
  if (next_update_ == 0 && !roll_out()) return {};
  const std::vector<Rollout>& answers = rollouts_.answers;
  std::vector<double> rewards;
  for (const Rollout& answer : answers) rewards.push_back(answer.reward);
  const std::vector<double> advantages = advantages_of(rewards, options_.answers, options_.policy.scale);

  // Dealt out anew in each epoch, by the seed alone.
  std::vector<size_t> order = all_of(answers.size());
  const int64_t epoch = next_update_ / options_.minibatches, part = next_update_ % options_.minibatches;
  if (options_.minibatches > 1) {
    Random random{Random{options_.seed, kDealStream, uint64_t(drawn_)}.bits(), uint64_t(epoch)};
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[size_t(random.below(i))]);
  }
  const size_t first = order.size() * size_t(part) / size_t(options_.minibatches),
               last = order.size() * size_t(part + 1) / size_t(options_.minibatches);
  std::vector<size_t> chosen(order.begin() + int64_t(first), order.begin() + int64_t(last));
  std::ranges::sort(chosen);  // answers to one question lie together
  PlacedAnswers placed = place(answers, chosen, options_.block_tokens, options_.slots);

  const auto is_learned = [&](const Rollout& r) { return options_.learns_truncated || !r.is_truncated; };
  double tokens = 0;
  for (size_t number : chosen)
    if (is_learned(answers[number])) tokens += double(answers[number].answer.size());
  const auto weight_of = [&](const Rollout& r) {
    if (!is_learned(r)) return 0.0;
    switch (options_.policy.normaliser) {
      case PolicyOptions::Normaliser::tokens:
        return 1 / tokens;
      case PolicyOptions::Normaliser::sequences:
        return 1 / (double(r.answer.size()) * double(chosen.size()));
      case PolicyOptions::Normaliser::constant:
        return 1 / (double(options_.max_tokens) * double(chosen.size()));
    }
    return 0.0;
  };
  std::vector<std::vector<PolicyToken>> streams;
  for (size_t b = 0; b < placed.blocks.size(); ++b) {
    streams.emplace_back(placed.blocks[b].tokens_N.size());
    for_targets(placed.answers[b], chosen, answers, [&](size_t number, size_t j, size_t row) {
      const Rollout& r = answers[number];
      streams.back()[row] = {float(advantages[number]), float(weight_of(r)), r.logprobs[j],
                             r.reference.empty() ? 0.0f : r.reference[j]};
    });
  }
  objective_ = std::make_unique<PolicyObjective>(std::move(streams), options_.policy, next_update_ == 0);
  return {std::move(placed.blocks),
          {[this](size_t block, int64_t row, float logprob) { return objective_->slope(block, row, logprob); },
           float(1 / options_.temperature)}};
}

void GrpoBatches::learned(StepMetrics& line) {
  const PolicyObjective::Sums sums = objective_->sums();
  if (next_update_ == 0) require_equal(sums.ratio_error);
  const double tokens = std::max(1.0, sums.tokens);
  const Rollouts& r = rollouts_;
  const double equal = double(r.groups_equal) / double(std::max<int64_t>(1, r.groups_asked));
  line.values = {{"reward", r.reward},
                 {"right answers", r.right},
                 {"tokens of an answer", r.tokens},
                 {"answers cut off", r.truncated},
                 {"groups of equal rewards", equal},
                 {"entropy (nats per token)", -sums.logprob / tokens},
                 {"clipped tokens", sums.clipped / tokens}};
  line.sampling_seconds = std::exchange(rollouts_.seconds, 0);
  if (options_.policy.kl != 0) line.values.emplace_back("kl from the reference", sums.kl / tokens);
  if (next_update_ == 0) line.event = doctor_.look({r.right, equal, r.truncated, r.tokens, -sums.logprob / tokens});
  if (next_update_ == 0) line.values.emplace_back("largest difference of log-probabilities", sums.ratio_error);
  // The first update of a rollout is not every step's.
  const int64_t updates = options_.minibatches * options_.epochs;
  if (next_update_ == 0 && (line.step == 1 || line.step % options_.show_every < updates))
    line.samples.push_back({r.question, r.shown});
  next_update_ = (next_update_ + 1) % updates;
  if (next_update_ == 0) rollouts_ = {};
}

Json GrpoBatches::state() const {
  Json state = {{"drawn", drawn_}, {"next_update", next_update_}, {"doctor", doctor_.state()}};
  if (next_update_ == 0) return state;
  const Rollouts& r = rollouts_;
  for (const Rollout& answer : r.answers) state["answers"].push_back(json_of(answer));
  state["groups"] = {r.groups_asked, r.groups_equal};
  state["means"] = {r.reward, r.right, r.tokens, r.truncated};
  return state;
}

void GrpoBatches::restore(const Json& state, std::string_view where) {
  drawn_ = json_integer(state, "drawn", where), next_update_ = json_integer(state, "next_update", where);
  require(drawn_ >= 0 && next_update_ >= 0 && next_update_ < options_.minibatches * options_.epochs,
          "[{}] the position of the rollouts is damaged", where);
  rollouts_ = {};
  require(state.contains("doctor"), "[{}] expected what is known of the rollouts", where);
  doctor_.restore(state["doctor"], where);
  if (next_update_ == 0) return;
  try {
    for (const Json& answer : state.at("answers")) rollouts_.answers.push_back(rollout_from(answer, where));
    state.at("groups").at(0).get_to(rollouts_.groups_asked), state.at("groups").at(1).get_to(rollouts_.groups_equal);
    const Json& means = state.at("means");
    double* const places[] = {&rollouts_.reward, &rollouts_.right, &rollouts_.tokens, &rollouts_.truncated};
    for (size_t i = 0; i < std::size(places); ++i) means.at(i).get_to(*places[i]);
  } catch (const Json::exception& error) { fail("[{}] the saved answers are damaged: {}", where, error.what()); }
  require(!rollouts_.answers.empty() && int64_t(rollouts_.answers.size()) % options_.answers == 0,
          "[{}] expected whole groups of {} answers", where, options_.answers);
  for (const Rollout& r : rollouts_.answers)
    require(!r.prompt.empty() && !r.answer.empty() && r.logprobs.size() == r.answer.size() &&
                (options_.policy.kl == 0 || r.reference.size() == r.answer.size()),
            "[{}] a saved answer is damaged", where);
}

}  // namespace fude
