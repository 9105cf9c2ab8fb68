// Chat templates as Hugging Face models and GGUF files carry them: Jinja, as transformers runs it.
//
// The same output as jinja2's immutable sandbox with trim_blocks and lstrip_blocks gives for what chat templates use:
// the statements if, for, set, macro, call, filter, with, generation, break and continue; expressions, filters, tests
// and methods of Python's values. Not there: include, import, extends, block, recursive loops, integers beyond 64 bits
// and the rarer filters; what is missing is an Error that names it. Otherwise than in Python, case mappings of one
// character to several (but ß) are not known, and isdigit and isnumeric are what Unicode calls numbers (½ is, 一 is
// not).
//
// Every byte of the output knows whether the template's author wrote it or it came with the conversation, so that
// `Tokenizer::encode(pieces)` finds special tokens only in what the author wrote. Trusted are the template's literals,
// numbers, the tokens that the caller names (bos_token, eos_token, …), and the `role` of a message if it is one of the
// usual ones: some templates make a special token of it. What is cut or joined keeps its origin; what is rewritten
// (upper, tojson, …) is trusted only if all of it was.
//
// Templates and conversations come from strangers: the cost is bounded by `TemplateLimits`, and errors name the line.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/template/limits.h"
#include "text/text_piece.h"

namespace fude {

// What a template is given, in the form that transformers gives it.
struct Conversation {
  Json messages = Json::array();  // [{"role": "user", "content": "…"}, …]
  Json tools;                     // null: none
  bool add_generation_prompt = false;
  std::string bos_token, eos_token;
  Json more = Json::object();  // further variables, such as {"enable_thinking": false}
};
Json template_variables(const Conversation& conversation);

namespace jinja {
struct Program;
struct Text;
}  // namespace jinja

// Immutable; copies share one tree, and one object serves any number of threads.
class ChatTemplate {
 public:
  explicit ChatTemplate(std::string_view source, TemplateLimits limits = {});

  std::string render(const Json& variables) const;
  // The same text; neighbours differ in trust, and none is empty.
  std::vector<TextPiece> render_pieces(const Json& variables) const;

 private:
  jinja::Text rendered(const Json& variables) const;
  std::shared_ptr<const jinja::Program> program_;
  TemplateLimits limits_;
};

}  // namespace fude
