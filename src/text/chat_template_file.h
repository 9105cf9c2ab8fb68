// The chat template of a model folder, and the tokens that it may print.
//
// chat_template.jinja if there is one, else `chat_template` of tokenizer_config.json: a text, or a list of named texts.
#pragma once

#include <string>

namespace fude {

struct ChatTemplateFile {
  std::string source;                // empty: the model has none
  std::string bos_token, eos_token;  // empty: none
};

// `name` picks one of a list, such as "tool_use"; Error if there is none of that name.
ChatTemplateFile read_chat_template(const std::string& folder, const std::string& name = "default");

}  // namespace fude
