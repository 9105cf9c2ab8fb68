// The parts of an answer's text as it comes: what is thought, what is said, and calls of tools.
//
// Models write all three as one text with markers: <think>…</think> at the beginning, and calls as JSON, between
// <tool_call> and </tool_call> or, in Llama's way, bare as the whole answer. A call's arguments are given out while
// they are written: as soon as its beginning reads {"name": "…", "arguments": { of a tool that there is; or, where
// nobody reads along, when they are whole and turn out to be JSON. What looks like a call and turns out to be none is
// text. No part of a marker is ever given out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

// How a model marks the parts of its answers.
struct AnswerForm {
  enum class Calls { none, tagged, bare };
  bool may_think = false;          // <think> at the beginning is a marker
  bool begins_in_thought = false;  // the prompt ends with it
  Calls calls = Calls::none;
  bool begins_in_call = false;     // likewise, or the grammar lets nothing else come
  bool awaits_calls = false;       // a call is given out when it is whole, and only then
  bool has_one_call = false;       // what stands behind the first counts no more
  bool begins_with_call = false;   // a text that begins otherwise has none
  std::vector<std::string> tools;  // their names
};

inline constexpr const char* kCallOpen = "<tool_call>";
inline constexpr const char* kCallClose = "</tool_call>";

struct AnswerPart {
  enum class Kind { content, reasoning, call, arguments };  // call: a new one, its name; arguments: more of its JSON
  Kind kind;
  std::string text;
  bool operator==(const AnswerPart&) const = default;
};

class AnswerReader {
 public:
  explicit AnswerReader(AnswerForm form);
  // Parts that are certain now, in order.
  std::vector<AnswerPart> add(std::string_view text);
  // At the end of the text: the rest.
  std::vector<AnswerPart> finish();
  bool is_in_thought() const { return state_ == State::thought; }
  // At the end of the text: it broke off inside a call.
  bool is_in_arguments() const { return state_ == State::arguments; }
  // The only call that may be made has been.
  bool is_done() const { return form_.has_one_call && has_call_; }

 private:
  enum class State { start, thought, content, call, arguments, behind_call };
  // One step; false if more text is needed.
  bool step(std::vector<AnswerPart>& parts, bool is_end);
  bool step_start(bool is_end);
  bool step_call(std::vector<AnswerPart>& parts, bool is_end);
  void step_arguments(std::vector<AnswerPart>& parts);
  bool step_behind_call(bool is_end);
  void give_awaited(std::vector<AnswerPart>& parts);
  // Text up to the marker goes to `kind`; true if the marker was there, and is behind us.
  bool pass_marker(std::string_view marker, AnswerPart::Kind kind, std::vector<AnswerPart>& parts, bool is_end);
  void give(AnswerPart::Kind kind, std::string text, std::vector<AnswerPart>& parts);
  bool is_tool(std::string_view name) const;

  AnswerForm form_;
  State state_ = State::start;
  std::string held_;
  std::string call_, name_;   // of a call that is awaited: its text so far, and whom it calls
  size_t arguments_at_ = 0;   // in `call_`
  bool has_call_ = false;     // a whole one
  bool skips_space_ = false;  // white space behind a marker is no text
  int depth_ = 0;             // of the arguments' JSON
  bool is_in_string_ = false, is_escaped_ = false;
};

}  // namespace fude
