// A scorer at work beside the engine: whole answers are handed in, their scores come back, one job after the other.
//
// It has a thread and a device of its own, so that judging many answers never holds up the streams of others.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "reason/scorer.h"

namespace fude {

class AnswerJudge {
 public:
  // log p(right) of each, or what went wrong. Called by the judge's thread; returns soon and throws nothing.
  using Done = std::function<void(std::vector<double> scores, std::exception_ptr failure)>;

  // The scorer must outlive it.
  AnswerJudge(const ScorerModel& scorer, const Kernels& kernels);
  // Jobs that have not begun are dropped without a word.
  ~AnswerJudge();
  AnswerJudge(const AnswerJudge&) = delete;
  AnswerJudge& operator=(const AnswerJudge&) = delete;

  // Any thread.
  void judge(std::vector<AnswerToScore> answers, Done done);
  // Any thread. From now on called behind each job, by the judge's thread; as soon as this returns, nobody calls what
  // was given before.
  void after_jobs(std::function<void()> call);

 private:
  struct Job {
    std::vector<AnswerToScore> answers;
    Done done;
  };
  void work();

  const ScorerModel& scorer_;
  const Kernels& kernels_;
  std::mutex mutex_, call_mutex_;
  std::condition_variable news_;
  std::deque<Job> jobs_;
  std::function<void()> after_job_;
  bool must_stop_ = false;
  std::thread thread_;
};

}  // namespace fude
