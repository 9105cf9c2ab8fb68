#include "serve/chat_exchange.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "base/clock.h"
#include "tasks/task.h"

namespace fude {
namespace {

// What an answer that failed is to its client. Only a lack of memory is worth trying again.
std::unique_ptr<ApiError> error_of(const Finish& finish) {
  if (finish.reason == FinishReason::cancelled)
    return std::make_unique<ApiError>(503, "[serve] the server is shutting down", "", "server_shutdown");
  try {
    std::rethrow_exception(finish.cause);
  } catch (const OutOfMemory&) {
  } catch (const std::bad_alloc&) {
  } catch (const std::exception& error) {
    return std::make_unique<ApiError>(422, error.what(), "", "generation_failed");
  }
  auto error = std::make_unique<ApiError>(503, "[serve] not enough memory now", "", "server_is_overloaded");
  error->retry_after = 5;
  return error;
}

}  // namespace

ChatExchange::ChatExchange(EngineThread& engine, const Tokenizer& tokenizer, ServerMetrics& metrics,
                           const ChatRequest& request, const std::string& model, const AnswerForm& form,
                           AnswerJudge* judge, double began)
    : engine_(engine),
      metrics_(metrics),
      is_stream_(request.is_stream),
      // A whole answer is looked at when there is much of it, or when it may have to be stopped.
      wake_at_(request.is_stream || !request.stops.empty() || form.has_one_call ? 1 : 256),
      began_(began),
      writer_(tokenizer, model, request),
      judge_(request.vote > 0 && request.choose != ChooseBy::vote ? judge : nullptr),
      is_vote_(request.vote > 0),
      is_seeded_(request.has_seed),
      choose_(request.choose),
      unfinished_(is_vote_ ? request.vote : request.choices),
      has_enough_(size_t(unfinished_)) {
  for (int64_t i = 0; i < unfinished_; ++i)
    choices_.push_back({ChoiceText(tokenizer, request.stops, form, request.has_logprobs)});
}

void ChatExchange::submit(Request request) {
  usage_.prompt = int64_t(request.prompt.size());
  if (judge_ != nullptr) prompt_ = request.prompt;
  const auto self = shared_from_this();
  const Submission submission =
      engine_.submit(std::move(request), {.token = [self](const AnswerToken& token) { return self->on_token(token); },
                                          .finish = [self](const Finish& finish) { self->on_finish(finish); }});
  id_ = submission.id;
  if (submission.is_accepted()) return;
  ApiError full(429, "[serve] too many requests wait; try again later", "", "rate_limit_exceeded");
  full.retry_after = submission.retry_after;
  throw full;
}

// Woken under the lock, so that start({}) is the end of it. Waking only leaves word.
bool ChatExchange::on_token(const AnswerToken& token) {
  const std::lock_guard lock(mutex_);
  if (first_token_ == 0) first_token_ = now_seconds();
  if (has_enough_[size_t(token.choice)]) return false;
  is_full_ |= events_.size() >= kMostEvents;
  if (is_full_) return false;
  events_.push_back(token);
  if (events_.size() == wake_at_ && wake_) wake_();
  return true;
}

void ChatExchange::on_finish(const Finish& finish) {
  const std::lock_guard lock(mutex_);
  events_.push_back(finish);
  if (wake_) wake_();
}

void ChatExchange::start(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

bool ChatExchange::take(std::string& bytes) {
  try {
    take_events(bytes);
  } catch (const std::bad_alloc&) {
    error_ = error_of({.cause = std::current_exception()});
  } catch (const std::exception&) {
    error_ = std::make_unique<ApiError>(500, "[serve] internal error", "", "internal_error");
  }
  if (!error_ && unfinished_ > 0) return false;
  if (!error_ && judge_ != nullptr && !ended_.empty()) {
    if (!std::exchange(is_judging_, true)) ask_judge();
    const std::lock_guard lock(mutex_);
    if (!is_judged_) return false;
    if (judge_failure_) error_ = error_of({.cause = judge_failure_});
  }
  end(bytes);
  return true;
}

void ChatExchange::take_events(std::string& bytes) {
  taken_.clear();
  {
    const std::lock_guard lock(mutex_);
    taken_.swap(events_);
    if (is_full_ && !error_)
      error_ = std::make_unique<ApiError>(408, "[serve] the answer was not read in time", "", "client_too_slow");
  }
  if (is_stream_ && !std::exchange(has_begun_, true))
    for (size_t i = 0; i < choices_.size(); ++i) writer_.add_role(bytes, int64_t(i));
  for (const Event& event : taken_) use(event, bytes);
  for (size_t i = 0; i < choices_.size(); ++i) write(int64_t(i), bytes);
  // Said once: the engine ends a choice at its next token.
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (!choices_[i].text.is_stopped() || std::exchange(choices_[i].is_told, true)) continue;
    const std::lock_guard lock(mutex_);
    has_enough_[i] = true;
  }
}

void ChatExchange::use(const Event& event, std::string& bytes) {
  if (const auto* token = std::get_if<AnswerToken>(&event)) {
    Choice& choice = choices_[size_t(token->choice)];
    // The judge reads up to the token in which a stop string ends: how many come behind it depends on when the engine
    // hears of it.
    if (judge_ != nullptr && !choice.text.is_stopped()) choice.keep(token->sampled);
    choice.text.add(*token, choice.delta);
    return;
  }
  const auto& finish = std::get<Finish>(event);
  this->finish(choices_[size_t(finish.choice)], finish, bytes);
}

void ChatExchange::finish(Choice& choice, const Finish& finish, std::string& bytes) {
  choice.is_finished = true;
  --unfinished_;
  usage_.completion += choice.text.tokens();
  usage_.reasoning += choice.text.reasoning_tokens();
  if (finish.choice == 0) usage_.cached = finish.cached_tokens;
  if (finish.reason == FinishReason::cancelled && is_decided_) return;
  if (finish.reason == FinishReason::cancelled || finish.reason == FinishReason::failed) {
    if (!error_) error_ = error_of(finish);
    return;
  }
  choice.text.finish(choice.delta);
  write(finish.choice, bytes);
  const bool is_cut = finish.reason != FinishReason::stop && !choice.text.is_stopped();
  const bool has_calls = !choice.message.calls.empty() && !choice.text.is_in_call();
  choice.message.finish_reason = is_cut ? "length" : has_calls ? "tool_calls" : "stop";
  if (finish.stop_token && judge_ != nullptr && !choice.text.is_stopped()) choice.keep(*finish.stop_token);
  if (is_vote_) count_vote(finish.choice);
  if (is_stream_ && !error_) writer_.add_finish(bytes, finish.choice, choice.message.finish_reason);
}

// An answer that was cut off votes for nobody. Once the answers that are missing cannot change the result, they end;
// not with a seed, since which ones they are depends on what else runs.
void ChatExchange::count_vote(int64_t index) {
  const ChatMessageOut& message = choices_[size_t(index)].message;
  const bool has_ended = message.finish_reason == "stop";
  if (has_ended) ended_.insert(std::ranges::lower_bound(ended_, size_t(index)), size_t(index));
  vote_.add(has_ended ? committed_answer(message.content) : "", size_t(index));
  if (judge_ != nullptr || is_seeded_ || is_decided_ || unfinished_ == 0 || !vote_.is_decided(unfinished_)) return;
  is_decided_ = true;
  engine_.cancel(id_);
}

void ChatExchange::ask_judge() {
  std::vector<AnswerToScore> answers;
  for (size_t index : ended_)
    answers.push_back(answer_to_score(prompt_, choices_[index].tokens, choices_[index].logprob));
  judge_->judge(std::move(answers),
                [self = shared_from_this()](std::vector<double> scores, std::exception_ptr failure) {
                  const std::lock_guard lock(self->mutex_);
                  self->scores_ = std::move(scores), self->judge_failure_ = std::move(failure);
                  self->is_judged_ = true;
                  if (self->wake_) self->wake_();
                });
}

// Numbers of choices in the ranking.
Selection ChatExchange::selection() const {
  if (ended_.empty()) return {};
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < ended_.size(); ++i)
    candidates.push_back(
        {committed_answer(choices_[ended_[i]].message.content), judge_ == nullptr ? 1.0 : std::exp(scores_[i])});
  Selection selection = select_answer(choose_, candidates);
  selection.chosen = ended_[selection.chosen];
  return selection;
}

// What is new of one choice: into the stream, or kept for the end.
void ChatExchange::write(int64_t index, std::string& bytes) {
  Choice& choice = choices_[size_t(index)];
  ChoiceText::Delta delta = std::exchange(choice.delta, {});
  ChatMessageOut& message = choice.message;
  for (const AnswerPart& part : delta.parts) {
    using Kind = AnswerPart::Kind;
    if (part.kind == Kind::call) message.calls.push_back({writer_.new_call_id(), part.text, ""});
    ToolCall* call = message.calls.empty() ? nullptr : &message.calls.back();
    if (is_stream_) {
      writer_.add_part(bytes, index, part, call, message.calls.size() - 1, delta.tokens);
      delta.tokens.clear();
    } else if (part.kind == Kind::content) {
      message.content += part.text;
    } else if (part.kind == Kind::reasoning) {
      message.reasoning += part.text;
    } else if (part.kind == Kind::arguments) {
      call->arguments += part.text;
    }
  }
  if (is_stream_ && !delta.tokens.empty()) writer_.add_tokens(bytes, index, delta.tokens);
  if (is_stream_ || delta.tokens.empty()) return;
  message.logprobs += (message.logprobs.empty() ? "" : ",") + writer_.logprobs(delta.tokens);
}

// What was made was made, whether it was taken or not.
void ChatExchange::count() {
  for (const Choice& choice : choices_)
    if (!choice.is_finished) usage_.completion += choice.text.tokens();
  const std::lock_guard lock(mutex_);
  for (const Event& event : events_)
    if (const auto* token = std::get_if<AnswerToken>(&event))
      usage_.completion += choices_[size_t(token->choice)].text.is_stopped() ? 0 : 1;
  metrics_.count_tokens(usage_);
  if (first_token_ > 0) metrics_.observe_first_token(first_token_ - began_);
}

void ChatExchange::end(std::string& bytes) {
  if (error_) engine_.cancel(id_);
  count();
  if (!is_stream_) return;
  if (error_) {
    bytes += ChatWriter::error_event(*error_);
    return;
  }
  if (writer_.has_usage()) bytes += writer_.usage_event(usage_);
  bytes += ChatWriter::done_event();
}

HttpReply ChatExchange::whole() {
  if (error_) return reply_of(*error_);
  std::vector<ChatMessageOut> messages;
  if (is_vote_) {
    const Selection selected = selection();
    messages.push_back(std::move(choices_[selected.chosen].message));
    return {.body = writer_.whole(messages, usage_, selected.ranking)};
  }
  for (Choice& choice : choices_) messages.push_back(std::move(choice.message));
  return {.body = writer_.whole(messages, usage_)};
}

void ChatExchange::cancel() {
  engine_.cancel(id_);
  count();
}

std::string ChatExchange::cancel_with(const ApiError& error) {
  cancel();
  return ChatWriter::error_event(error);
}

}  // namespace fude
