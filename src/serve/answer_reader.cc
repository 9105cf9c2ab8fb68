#include "serve/answer_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "text/chat_format.h"

namespace fude {
namespace {

constexpr const char* kSpace = " \t\r\n";

// The length of the longest end of `text` that begins `marker`, and is not all of it.
size_t begun(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(marker.size() - 1, text.size()); n > 0; --n)
    if (text.ends_with(marker.substr(0, n))) return n;
  return 0;
}

// The beginning of a call: { "name": "…", "arguments": {, up to that last brace. Llama says "parameters".
struct CallHead {
  enum class Match { no, unfinished, yes } match;
  std::string name{};
  size_t end = 0;  // where the arguments begin
};

class HeadReader {
 public:
  explicit HeadReader(std::string_view text) : text_(text) {}
  CallHead read() {
    const bool is_read = literal("{") && literal("\"name\"") && literal(":") && name() && literal(",") && key() &&
                         literal(":") && before_brace();
    if (is_read) return {CallHead::Match::yes, name_, at_};
    return {is_unfinished_ ? CallHead::Match::unfinished : CallHead::Match::no};
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size()); }
  bool literal(std::string_view expected) {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    is_unfinished_ = rest.size() < expected.size() && expected.starts_with(rest);
    if (!rest.starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  bool name() {
    if (!literal("\"")) return false;
    const size_t end = text_.find_first_of("\"\\", at_);
    is_unfinished_ = end == std::string_view::npos;
    if (is_unfinished_ || text_[end] == '\\') return false;
    name_ = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }
  bool key() {
    const size_t begin = at_;
    if (literal("\"arguments\"")) return true;
    const bool could_be = is_unfinished_;
    at_ = begin;
    if (literal("\"parameters\"")) return true;
    is_unfinished_ |= could_be;
    return false;
  }
  bool before_brace() {
    skip_space();
    is_unfinished_ = at_ == text_.size();
    return !is_unfinished_ && text_[at_] == '{';
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string name_;
  bool is_unfinished_ = false;
};

// A call whose members come in another order.
bool read_whole(const std::string& text, std::string& name, std::string& arguments) {
  Json call;
  try {
    call = parse_json(text, "call", {1 << 20, 64});
  } catch (const Error&) {}
  if (!call.is_object() || !call.contains("name") || !call["name"].is_string()) return false;
  name = call["name"];
  for (const char* key : {"arguments", "parameters"})
    if (call.contains(key) && call[key].is_object()) {
      arguments = call[key].dump();
      return true;
    }
  return false;
}

}  // namespace

AnswerReader::AnswerReader(AnswerForm form) : form_(std::move(form)) {
  if (form_.begins_in_call) state_ = State::call;
  if (form_.begins_in_thought) state_ = State::thought, skips_space_ = true;
}

bool AnswerReader::is_tool(std::string_view name) const {
  return std::ranges::find(form_.tools, name) != form_.tools.end();
}

void AnswerReader::give(AnswerPart::Kind kind, std::string text, std::vector<AnswerPart>& parts) {
  if (skips_space_) text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
  if (text.empty()) return;
  skips_space_ = false;
  if (!parts.empty() && parts.back().kind == kind && kind != AnswerPart::Kind::call)
    parts.back().text += text;
  else
    parts.push_back({kind, std::move(text)});
}

std::vector<AnswerPart> AnswerReader::add(std::string_view text) {
  held_ += text;
  std::vector<AnswerPart> parts;
  while (!held_.empty() && !is_done() && step(parts, false)) {}
  return parts;
}

std::vector<AnswerPart> AnswerReader::finish() {
  std::vector<AnswerPart> parts;
  while (!held_.empty() && !is_done() && step(parts, true)) {}
  return parts;
}

bool AnswerReader::step(std::vector<AnswerPart>& parts, bool is_end) {
  using Kind = AnswerPart::Kind;
  switch (state_) {
    case State::start:
      return step_start(is_end);
    case State::thought:
      if (!pass_marker(kThinkClose, Kind::reasoning, parts, is_end)) return false;
      // Llama's calls are the whole of what is said.
      state_ = form_.calls == AnswerForm::Calls::bare ? State::start : State::content;
      form_.may_think = false, skips_space_ = true;
      return true;
    case State::content:
      if (form_.calls != AnswerForm::Calls::tagged) {
        give(Kind::content, std::exchange(held_, {}), parts);
        return false;
      }
      if (!pass_marker(kCallOpen, Kind::content, parts, is_end)) return false;
      state_ = State::call;
      return true;
    case State::call:
      return step_call(parts, is_end);
    case State::arguments:
      step_arguments(parts);
      return true;
    case State::behind_call:
      return step_behind_call(is_end);
  }
  return false;
}

// A call's own end says nothing; one that a model forgot takes nothing with it that stands behind.
bool AnswerReader::step_behind_call(bool is_end) {
  const bool is_bare = form_.calls == AnswerForm::Calls::bare;
  const size_t close = is_bare ? std::string::npos : held_.find(kCallClose),
               open = is_bare ? std::string::npos : held_.find(kCallOpen), none = std::string::npos;
  if (open < close) {
    held_.erase(0, open + std::string_view(kCallOpen).size());
    state_ = State::call;
    return true;
  }
  if (close != none) {
    held_.erase(0, close + std::string_view(kCallClose).size());
    state_ = State::content, skips_space_ = true;
    return true;
  }
  size_t rest = held_.find_first_not_of(kSpace);
  if (rest != none && held_[rest] == ',') rest = held_.find('}', rest);  // members behind the arguments
  if (rest != none) rest = held_.find_first_not_of("} \t\r\n", rest);
  // Llama's calls follow each other behind a semicolon.
  if (is_bare && rest != none && held_[rest] == ';')
    if (const size_t next = held_.find_first_not_of(kSpace, rest + 1); next != none && held_[next] == '{') {
      held_.erase(0, next);
      state_ = State::call;
      return true;
    }
  if (!is_end) return false;
  held_.erase(0, rest);
  state_ = State::content;
  return true;
}

bool AnswerReader::step_start(bool is_end) {
  const size_t first = held_.find_first_not_of(kSpace);
  if (first == std::string::npos && !is_end) return false;
  const std::string_view rest = first == std::string::npos ? std::string_view() : std::string_view(held_).substr(first);
  const std::string_view open = kThinkOpen;
  if (form_.may_think && rest.starts_with(open)) {
    held_.erase(0, first + open.size());
    state_ = State::thought, skips_space_ = true;
    return true;
  }
  if (form_.may_think && !is_end && open.starts_with(rest)) return false;
  if (form_.begins_with_call && form_.calls == AnswerForm::Calls::tagged && !rest.starts_with(kCallOpen)) {
    if (!is_end && std::string_view(kCallOpen).starts_with(rest)) return false;
    form_.calls = AnswerForm::Calls::none;
  }
  state_ = form_.calls == AnswerForm::Calls::bare && rest.starts_with('{') ? State::call : State::content;
  return true;
}

bool AnswerReader::pass_marker(std::string_view marker, AnswerPart::Kind kind, std::vector<AnswerPart>& parts,
                               bool is_end) {
  const size_t at = held_.find(marker);
  const bool is_there = at != std::string::npos;
  const size_t size = is_there ? at : held_.size() - (is_end ? 0 : begun(held_, marker));
  give(kind, held_.substr(0, size), parts);
  held_.erase(0, size + (is_there ? marker.size() : 0));
  return is_there;
}

bool AnswerReader::step_call(std::vector<AnswerPart>& parts, bool is_end) {
  const bool is_tagged = form_.calls == AnswerForm::Calls::tagged;
  const size_t close = is_tagged ? held_.find(kCallClose) : std::string::npos;
  const CallHead head = HeadReader(held_).read();
  if (head.match == CallHead::Match::yes && is_tool(head.name)) {
    if (form_.awaits_calls) {
      call_ = held_.substr(0, head.end), name_ = head.name, arguments_at_ = head.end;
    } else {
      skips_space_ = false;
      give(AnswerPart::Kind::call, head.name, parts);
    }
    held_.erase(0, head.end);
    state_ = State::arguments, depth_ = 0, is_in_string_ = is_escaped_ = false;
    return true;
  }
  const bool is_whole = close != std::string::npos || is_end;
  if (!is_whole && (is_tagged || head.match == CallHead::Match::unfinished)) return false;
  const std::string text = held_.substr(0, close);
  held_.erase(0, close == std::string::npos ? close : close + std::string_view(kCallClose).size());
  std::string name, arguments;
  state_ = State::content;
  if (read_whole(text, name, arguments) && is_tool(name)) {
    skips_space_ = false;
    give(AnswerPart::Kind::call, name, parts);
    give(AnswerPart::Kind::arguments, arguments, parts);
    skips_space_ = has_call_ = true;
  } else {
    give(AnswerPart::Kind::content,
         (is_tagged ? kCallOpen : "") + text + (close != std::string::npos ? kCallClose : ""), parts);
  }
  return true;
}

void AnswerReader::step_arguments(std::vector<AnswerPart>& parts) {
  size_t end = 0;
  while (end < held_.size()) {
    const char c = held_[end++];
    if (is_in_string_) {
      if (is_escaped_)
        is_escaped_ = false;
      else if (c == '\\')
        is_escaped_ = true;
      else if (c == '"')
        is_in_string_ = false;
      continue;
    }
    if (c == '"') is_in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if ((c == '}' || c == ']') && --depth_ == 0) {
      state_ = State::behind_call;
      break;
    }
  }
  const std::string more = held_.substr(0, end);
  held_.erase(0, end);
  const bool is_whole = state_ == State::behind_call;
  if (!form_.awaits_calls) {
    give(AnswerPart::Kind::arguments, more, parts);
    has_call_ |= is_whole;
    return;
  }
  call_ += more;
  if (is_whole) give_awaited(parts);
}

void AnswerReader::give_awaited(std::vector<AnswerPart>& parts) {
  std::string arguments = call_.substr(arguments_at_);
  // Syntax alone: with a brace at its beginning it is an object, however deep, and members may come twice.
  if (Json::accept(arguments)) {
    skips_space_ = false, has_call_ = true;
    give(AnswerPart::Kind::call, name_, parts);
    give(AnswerPart::Kind::arguments, std::move(arguments), parts);
  } else {
    state_ = State::content;
    give(AnswerPart::Kind::content, (form_.calls == AnswerForm::Calls::tagged ? kCallOpen : "") + call_, parts);
  }
}

}  // namespace fude
