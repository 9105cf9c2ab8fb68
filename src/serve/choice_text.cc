#include "serve/choice_text.h"

namespace fude {
namespace {

void append(std::vector<AnswerPart>& parts, std::vector<AnswerPart> more) {
  for (AnswerPart& part : more)
    if (!parts.empty() && parts.back().kind == part.kind && part.kind != AnswerPart::Kind::call)
      parts.back().text += part.text;
    else
      parts.push_back(std::move(part));
}

}  // namespace

void ChoiceText::add(const AnswerToken& token, Delta& delta) {
  if (is_stopped()) return;
  ++tokens_;
  if (reader_.is_in_thought()) ++reasoning_tokens_;
  if (keeps_logprobs_) pending_.push_back({token, read_});
  const std::string text = stream_.add(token.sampled.token);
  read_ += text.size();
  give(stop_.add(text), delta);
}

void ChoiceText::finish(Delta& delta) {
  if (!is_stopped()) {
    give(stop_.add(stream_.flush()), delta);
    give(stop_.flush(), delta);
    if (!is_stopped())
      for (Pending& rest : pending_) delta.tokens.push_back(std::move(rest.token));
  }
  append(delta.parts, reader_.finish());
}

void ChoiceText::give(const std::string& certain, Delta& delta) {
  certain_ += certain.size();
  // A token without text of its own, special or inside a character, is certain when text behind it is.
  while (!pending_.empty() && pending_.front().begin < certain_) {
    delta.tokens.push_back(std::move(pending_.front().token));
    pending_.pop_front();
  }
  append(delta.parts, reader_.add(certain));
}

}  // namespace fude
