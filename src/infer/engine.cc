#include "infer/engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "infer/prompt_lookup.h"
#include "ops/classifier_loss.h"

namespace fude {
namespace {

// Rows of which logits exist at a time.
constexpr int64_t kDrawnRows = 64;
// Tokens that a mask foresees, tried in a step at most: so many rows take little longer than one.
constexpr int64_t kForeseen = 16;

// Rows of a sequence behind those before: they run with its adapter, if it has one.
void add_rows(std::vector<AdapterRows>& adapters, const Sequence& sequence, int64_t first, int64_t count) {
  const Adapter* adapter = sequence.live->adapter.adapter.get();
  if (adapter == nullptr) return;
  if (adapters.empty() || adapters.back().adapter != adapter) adapters.push_back({adapter, first, 0});
  adapters.back().count += count;
}

std::string message_of(const std::exception_ptr& cause) {
  if (!cause) return {};
  try {
    std::rethrow_exception(cause);
  } catch (const std::exception& error) { return error.what(); }
}

EngineOptions completed(EngineOptions o, const ModelConfig& config) {
  require(o.context >= 0 && o.context <= config.context, "[engine] the model's context is {} tokens, {} were asked for",
          config.context, o.context);
  if (o.context == 0) o.context = config.context;
  o.cache_tokens = std::max(o.cache_tokens, o.context);
  require(o.batch > 0 && o.chunk > 0, "[engine] expected a batch and a chunk of at least 1");
  require(o.drafts >= 0, "[engine] expected at least 0 tokens to guess ahead, got {}", o.drafts);
  return o;
}

// What a mask foresees: tokens of the model only, and a guess that cannot be made is none.
std::vector<int32_t> foreseen_by(TokenMask& mask, int64_t most, int64_t vocabulary) {
  try {
    std::vector<int32_t> tokens = mask.foreseen(most);
    const auto first_wrong = std::ranges::find_if(tokens, [&](int32_t t) { return t < 0 || t >= vocabulary; });
    tokens.erase(first_wrong, tokens.end());
    return tokens;
  } catch (const std::exception&) { return {}; }
}

bool has_nan(const std::vector<PromptToken>& tokens) {
  return std::ranges::any_of(tokens, [](const PromptToken& token) { return std::isnan(token.logprob); });
}

}  // namespace

const char* name_of(FinishReason reason) {
  static constexpr const char* names[] = {"stop", "length", "context", "cancelled", "failed"};
  return names[int(reason)];
}

// The hidden rows of a part's last tokens, of which something is to be said.
struct Engine::PartRows {
  Scheduler::Part part;
  Tensor hidden_RC;

  int64_t first() const { return part.end() - hidden_RC.rows(); }
  // Those of the tokens from `position` on.
  Tensor from(int64_t position, int64_t count) const { return hidden_RC.slice_rows(position - first(), count); }
};

// The rows of a step from which the next tokens of one sequence are drawn, and those tokens.
struct Engine::Draw {
  Sequence* sequence;
  Tensor hidden_RC;   // one, and one for each draft
  int64_t generated;  // before
  std::vector<AnswerToken> tokens{};
  std::exception_ptr error{};
};

Engine::Engine(const Transformer& model, const Kernels& kernels, EngineOptions options)
    : model_(model),
      kernels_(kernels),
      options_(completed(std::move(options), model.config())),
      adapters_(model),
      pool_(model.device(), model.config(), pages_for(options_.cache_tokens), options_.kv),
      tree_(pool_),
      scheduler_(pool_, tree_, options_),
      intake_(options_.queued_requests, options_.queued_tokens) {
  if (options_.draft_model == nullptr) return;
  const ModelConfig& small = options_.draft_model->config();
  require(small.vocabulary == model.config().vocabulary, "[engine] expected a draft model with {} tokens, got {}",
          model.config().vocabulary, small.vocabulary);
  draft_model_.emplace(*options_.draft_model, kernels, options_.cache_tokens, options_.kv);
}

Engine::~Engine() {
  take_news();
  while (!scheduler_.sequences().empty()) {
    Sequence& last = *scheduler_.sequences().back();
    finish(last, FinishReason::cancelled, last.generated);
  }
}

Submission Engine::submit(Request request, RequestEvents events) {
  const ModelConfig& c = model_.config();
  check(request.sampling);
  const auto size = int64_t(request.prompt.size());
  require(size > 0, "[engine] expected a prompt of at least one token");
  require(size < context() || (size == context() && request.max_tokens == 0),
          "[engine] the prompt has {} tokens, the context has room for {}", size, context() - 1);
  for (int32_t token : request.prompt)
    require(token >= 0 && token < c.vocabulary, "[engine] expected tokens below {}, got {}", c.vocabulary, token);
  for (const auto& [token, bias] : request.sampling.logit_bias)
    require(token >= 0 && token < c.vocabulary, "[engine] expected a bias of tokens below {}, got {}", c.vocabulary,
            token);
  require(request.max_tokens >= 0, "[engine] expected at least 0 tokens to make, got {}", request.max_tokens);
  require(request.prompt_logprobs_from >= 0 && request.prompt_logprobs_from <= size,
          "[engine] expected log-probabilities from a token of the prompt, 1 to {}, or 0, got {}", size,
          request.prompt_logprobs_from);
  require(request.choices > 0 && request.choices <= 128, "[engine] expected 1 to 128 choices, got {}", request.choices);
  require(request.top_logprobs >= 0 && request.top_logprobs <= c.vocabulary,
          "[engine] expected 0 to {} top log-probabilities, got {}", c.vocabulary, request.top_logprobs);
  require(!request.embedding || (request.max_tokens == 0 && request.choices == 1),
          "[engine] expected an embedding without an answer, got {} tokens to make and {} choices", request.max_tokens,
          request.choices);
  StoredAdapter adapter = adapters_.find(request.adapter);
  return intake_.add(std::move(request), std::move(events), std::move(adapter));
}

void Engine::cancel(RequestId id) { intake_.cancel(id); }

void Engine::take_news() {
  Intake::News news = intake_.take();
  const double now = options_.clock();
  for (Intake::Arrival& arrival : news.arrivals) {
    const auto live = std::make_shared<LiveRequest>(
        LiveRequest{arrival.id, std::move(arrival.request), std::move(arrival.events), std::move(arrival.adapter)});
    const Request& request = live->request;
    std::vector<std::unique_ptr<Sequence>> choices;
    try {
      if (request.embedding) live->pool.emplace(*request.embedding, int64_t(request.prompt.size()));
      for (int64_t choice = 0; choice < request.choices; ++choice) {
        auto sequence = std::make_unique<Sequence>();
        sequence->live = live;
        sequence->choice = choice;
        sequence->rank = {now - double(request.priority) * options_.ageing_seconds, live->id, choice};
        sequence->sampling = request.sampling;
        sequence->sampling.seed += uint64_t(choice);
        if (request.mask) sequence->mask = request.mask(choice);
        sequence->tokens = request.prompt;
        choices.push_back(std::move(sequence));
      }
    } catch (const std::exception&) {
      refuse(*live, std::current_exception());
      continue;
    }
    for (auto& sequence : choices) scheduler_.add(std::move(sequence));
  }
  for (RequestId id : news.cancelled)
    for (size_t i = scheduler_.sequences().size(); i-- > 0;)
      if (Sequence& sequence = *scheduler_.sequences()[i]; sequence.live->id == id)
        finish(sequence, FinishReason::cancelled, sequence.generated);
}

bool Engine::step() {
  take_news();
  if (scheduler_.sequences().empty()) return false;
  const double begin = options_.clock();
  draft_ahead();
  std::vector<Scheduler::Part> parts = scheduler_.next();
  // Rows with one adapter lie together, those without one first.
  std::ranges::stable_sort(parts, {}, [](const auto& part) { return part.sequence->live->adapter.key; });
  require(!parts.empty(), "[engine] {} answers wait and none can go on", scheduler_.sequences().size());
  int64_t tokens = 0, keys = 0;
  for (const Scheduler::Part& part : parts) {
    leave_queue(*part.sequence->live);
    tokens += part.count;
    keys += part.count * (part.first + part.end() + 1) / 2;
  }
  ++steps_, tokens_ += tokens;
  try {
    run_parts(parts);
  } catch (const std::exception&) {
    const std::exception_ptr cause = std::current_exception();
    // What is not known to be done has failed; the others were not touched.
    for (const Scheduler::Part& part : parts)
      if (std::ranges::any_of(scheduler_.sequences(), [&](const auto& s) { return s.get() == part.sequence; }))
        finish(*part.sequence, FinishReason::failed, part.sequence->generated, cause);
    return true;
  }
  scheduler_.cost().add(tokens, keys, options_.clock() - begin);
  intake_.set_seconds_per_token(scheduler_.cost().of(options_.chunk, 0) / double(options_.chunk));
  return true;
}

void Engine::draft_ahead() {
  std::vector<DraftModel::Wish> wishes;
  for (const auto& s : scheduler_.sequences()) {
    if (!s->is_decoding() || !s->request().may_speculate) continue;
    const int64_t room = std::min(context() - s->size(), s->request().max_tokens - s->generated - 1);
    s->drafts.clear();
    if (s->mask && room > 0) s->drafts = foreseen_by(*s->mask, std::min(kForeseen, room), model_.config().vocabulary);
    const int64_t most = std::min(options_.drafts, room);
    if (draft_model_)
      wishes.push_back({s.get(), most});
    else if (s->drafts.empty() && most > 0)
      s->drafts = look_up(s->tokens, most);
  }
  if (!draft_model_) return;
  try {
    draft_model_->draft(wishes);
  } catch (const std::exception&) {
    // A guess that cannot be made is none.
    draft_model_->forget();
    for (const DraftModel::Wish& wish : wishes) wish.sequence->drafts.clear();
  }
}

void Engine::run() {
  while (step()) {}
}

void Engine::run_parts(const std::vector<Scheduler::Part>& parts) {
  TokenBatch batch;
  batch.sequence_starts = {0};
  std::vector<const std::vector<Page>*> pages_S;
  std::vector<int64_t> counts_S;
  for (const Scheduler::Part& part : parts) {
    const Sequence& s = *part.sequence;
    counts_S.push_back(part.end() - std::clamp(s.first_unsaid(), part.first, part.end()));
    for (int64_t i = part.first; i < part.end(); ++i) {
      batch.tokens_N.push_back(i < s.size() ? s.tokens[size_t(i)] : s.drafts[size_t(i - s.size())]);
      batch.positions_N.push_back(int32_t(i));
    }
    add_rows(batch.adapters, s, batch.sequence_starts.back(), part.count);
    batch.sequence_starts.push_back(int32_t(batch.size()));
    pages_S.push_back(&s.pages);
  }
  PagedKv kv(pool_, kernels_, std::move(pages_S));
  const Tensor hidden_RC = model_.forward({model_.device(), kernels_}, batch, kv, counts_S);
  std::vector<Draw> draws;
  int64_t row = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const PartRows rows{parts[i], hidden_RC.slice_rows(std::exchange(row, row + counts_S[i]), counts_S[i])};
    score_prompt(rows);
    pool_prompt(rows);
    Sequence& s = *parts[i].sequence;
    if (const int64_t drawn = 1 + int64_t(s.drafts.size()); parts[i].completes() && s.request().max_tokens > 0)
      draws.push_back({&s, rows.from(s.size() - 1, drawn), s.generated});
  }
  draw(draws);
  for (const Scheduler::Part& part : parts)
    scheduler_.advance(*part.sequence, std::min(part.end(), part.sequence->size() - 1));
  for (const Scheduler::Part& part : parts)
    if (part.sequence->request().max_tokens == 0 && part.end() == part.sequence->size()) finish_prompt(*part.sequence);
  for (const Draw& draw : draws) deliver(draw);
}

void Engine::score_prompt(const PartRows& rows) {
  const Pass pass{model_.device(), kernels_};
  const Sequence& s = *rows.part.sequence;
  const int64_t first_scored = s.request().prompt_logprobs_from;
  if (first_scored == 0 || s.choice != 0 || s.generated > 0) return;
  std::vector<PromptToken>& known = s.live->prompt_tokens;
  const int64_t last = std::min(rows.part.end(), s.prompt_size() - 1);
  // Whose logits score the token behind it.
  const auto next = [&] { return first_scored - 1 + int64_t(known.size()); };
  for (int64_t from = next(); from < last; from = next()) {
    const int64_t count = std::min(last - from, kDrawnRows);
    std::vector<AdapterRows> adapters;
    add_rows(adapters, s, 0, count);
    const Tensor logits_NV = model_.logits(pass, rows.from(from, count), adapters);
    const auto sums_N = logit_sums(pass, logits_NV, std::vector<float>(size_t(count), 1.0f));
    for (int64_t row = 0; row < count; ++row) {
      const LogitRow logits = logit_row(logits_NV, sums_N, row);
      known.push_back(
          {logits.logprob(size_t(s.tokens[size_t(from + row + 1)])), top_logprobs(logits, s.request().top_logprobs)});
    }
  }
  if (rows.part.end() >= s.prompt_size() && s.live->events.prompt_tokens && !has_nan(known))
    s.live->events.prompt_tokens(known);
}

void Engine::pool_prompt(const PartRows& rows) {
  std::optional<EmbeddingPool>& pool = rows.part.sequence->live->pool;
  while (pool && pool->needed() < rows.part.end()) {
    const Tensor row_C = rows.from(pool->needed(), 1);
    pool->add({row_C.data<float>(), size_t(row_C.size())});
  }
}

// A request without an answer ends with its prompt.
void Engine::finish_prompt(Sequence& s) {
  if (s.live->pool) {
    const std::vector<float> embedding_C = s.live->pool->result();
    if (!std::ranges::all_of(embedding_C, [](float x) { return std::isfinite(x); }))
      return finish(s, FinishReason::failed, 0,
                    std::make_exception_ptr(Error("[embedding] expected numbers, got infinity or NaN from the model")));
    if (s.live->events.embedding) s.live->events.embedding(embedding_C);
  }
  if (has_nan(s.live->prompt_tokens))
    return finish(s, FinishReason::failed, 0,
                  std::make_exception_ptr(Error("[score] expected log-probabilities, got NaN from the model")));
  finish(s, FinishReason::length, 0);
}

Tensor Engine::rows_of(const std::vector<Draw>& draws, size_t first, size_t last) const {
  int64_t rows = 0;
  for (size_t i = first; i < last; ++i) rows += draws[i].hidden_RC.rows();
  Tensor all_RC(model_.device(), {rows, model_.config().width}, DType::f32);
  auto* to = static_cast<std::byte*>(all_RC.raw());
  for (size_t i = first; i < last; ++i) {
    std::memcpy(to, draws[i].hidden_RC.raw(), size_t(draws[i].hidden_RC.bytes()));
    to += draws[i].hidden_RC.bytes();
  }
  return all_RC;
}

void Engine::draw(std::vector<Draw>& draws) {
  const Pass pass{model_.device(), kernels_};
  for (size_t first = 0, last; first < draws.size(); first = last) {
    std::vector<int64_t> row_of_draw;
    std::vector<float> inverse_temperatures_N;
    std::vector<AdapterRows> adapters;
    for (last = first; last < draws.size(); ++last) {
      const auto& [sequence, hidden_RC, generated, tokens, error] = draws[last];
      const auto rows = int64_t(inverse_temperatures_N.size());
      if (last > first && rows + hidden_RC.rows() > kDrawnRows) break;
      row_of_draw.push_back(rows);
      add_rows(adapters, *sequence, rows, hidden_RC.rows());
      inverse_temperatures_N.resize(size_t(rows + hidden_RC.rows()), inverse_temperature(sequence->sampling));
    }
    const Tensor logits_NV = model_.logits(pass, rows_of(draws, first, last), adapters);
    const std::vector<LogitSums> sums_N = logit_sums(pass, logits_NV, inverse_temperatures_N);
    pass.threads().parallel_for(int64_t(last - first), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Draw& draw = draws[first + size_t(i)];
        try {
          draw_tokens(draw, logits_NV, sums_N, row_of_draw[size_t(i)]);
        } catch (const std::exception&) { draw.error = std::current_exception(); }
      }
    });
  }
}

// The next tokens of a sequence, each drawn as if it were the only one, for as long as the drafts were right.
void Engine::draw_tokens(Draw& draw, const Tensor& logits_NV, const std::vector<LogitSums>& sums_N, int64_t row) const {
  Sequence& s = *draw.sequence;
  const Request& request = s.request();
  for (size_t i = 0;; ++i, ++row) {
    const LogitRow logits = logit_row(logits_NV, sums_N, row);
    const SampledToken next = sample_token(kernels_, logits, s.tokens, s.generated, s.sampling, s.size(), s.mask.get());
    draw.tokens.push_back({s.choice, next, top_logprobs(logits, request.top_logprobs)});
    if (std::ranges::find(request.stop_tokens, next.token) != request.stop_tokens.end()) return;
    s.tokens.push_back(next.token);
    ++s.generated;
    if (s.mask) s.mask->accept(next.token);
    if (i == s.drafts.size() || s.drafts[i] != next.token || s.generated >= request.max_tokens || s.size() >= context())
      return;
  }
}

void Engine::deliver(const Draw& draw) {
  Sequence& s = *draw.sequence;
  const std::shared_ptr<LiveRequest> live = s.live;
  drafted_ += draw.hidden_RC.rows() - 1;
  accepted_ += std::max<int64_t>(0, int64_t(draw.tokens.size()) - 1);
  int64_t given = draw.generated;
  for (const AnswerToken& token : draw.tokens) {
    const auto& stops = live->request.stop_tokens;
    if (std::ranges::find(stops, token.sampled.token) != stops.end())
      return finish(s, FinishReason::stop, given, nullptr, token.sampled);
    ++given;
    if (live->events.token && !live->events.token(token)) return finish(s, FinishReason::stop, given);
  }
  if (draw.error) return finish(s, FinishReason::failed, given, draw.error);
  if (s.generated >= live->request.max_tokens) return finish(s, FinishReason::length, given);
  if (s.size() >= context()) finish(s, FinishReason::context, given);
}

void Engine::finish(Sequence& s, FinishReason reason, int64_t tokens, const std::exception_ptr& cause,
                    std::optional<SampledToken> stop_token) {
  const std::shared_ptr<LiveRequest> live = s.live;
  const Finish finish{s.choice, reason, message_of(cause), cause, std::max<int64_t>(0, s.cached), tokens, stop_token};
  scheduler_.remove(s);
  leave_queue(*live);
  if (live->events.finish) live->events.finish(finish);
}

// A request that cannot begin.
void Engine::refuse(LiveRequest& live, const std::exception_ptr& cause) {
  leave_queue(live);
  for (int64_t choice = 0; live.events.finish && choice < live.request.choices; ++choice)
    live.events.finish({choice, FinishReason::failed, message_of(cause), cause});
}

void Engine::leave_queue(LiveRequest& live) {
  if (std::exchange(live.is_queued, false)) intake_.leave(live.request);
}

void Engine::weights_changed() {
  for (const auto& sequence : scheduler_.sequences()) {
    scheduler_.preempt(*sequence);
    LiveRequest& live = *sequence->live;
    if (live.pool) live.pool.emplace(*live.request.embedding, int64_t(live.request.prompt.size()));
    if (sequence->choice == 0 && sequence->generated == 0) live.prompt_tokens.clear();
  }
  ++scheduler_.version;
  tree_.clear();
  if (draft_model_) draft_model_->forget();
}

void Engine::forget() { tree_.clear(); }

Engine::Status Engine::status() {
  Status now{
      intake_.waiting_requests(), 0,        0,        pool_.pages(), pool_.free_pages(), tree_.pages(), steps_, tokens_,
      scheduler_.preemptions(),   drafted_, accepted_};
  for (const auto& sequence : scheduler_.sequences()) ++(sequence->is_running ? now.running : now.waiting);
  return now;
}

}  // namespace fude
