#include "serve/answer_judge.h"

#include <utility>

namespace fude {

AnswerJudge::AnswerJudge(const ScorerModel& scorer, const Kernels& kernels)
    : scorer_(scorer), kernels_(kernels), thread_([this] { work(); }) {}

AnswerJudge::~AnswerJudge() {
  {
    const std::lock_guard lock(mutex_);
    must_stop_ = true;
  }
  news_.notify_one();
  thread_.join();
}

void AnswerJudge::judge(std::vector<AnswerToScore> answers, Done done) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(answers), std::move(done)});
  }
  news_.notify_one();
}

void AnswerJudge::after_jobs(std::function<void()> call) {
  const std::lock_guard lock(call_mutex_);
  after_job_ = std::move(call);
}

void AnswerJudge::work() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      news_.wait(lock, [this] { return must_stop_ || !jobs_.empty(); });
      if (must_stop_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    std::vector<double> scores;
    std::exception_ptr failure;
    try {
      scores = score_sequences(scorer_, kernels_, job.answers);
    } catch (const std::exception&) { failure = std::current_exception(); }
    job.done(std::move(scores), failure);
    const std::lock_guard lock(call_mutex_);
    if (after_job_) after_job_();
  }
}

}  // namespace fude
