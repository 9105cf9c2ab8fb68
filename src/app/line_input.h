// Lines that somebody types, with an editor where they type on a screen: cursor keys, history (up, down, Ctrl-R), words
// and lines cut and put back, wide characters. From a pipe, or where the screen is none, lines as they come.
//
// A terminal's own editing knows the backspace, writes ^[[D for an arrow, and cuts a line off at 4,095 bytes without a
// word.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace fude {

class LineInput {
 public:
  // Reads standard input. Where that is a terminal, `prompt` goes to `screen` (borrowed) before each line. The
  // character set of the environment is taken, or UTF-8 where it has another.
  LineInput(std::string prompt, std::FILE* screen);
  ~LineInput();

  // The next line, without its end; nothing at the end of the input. In the editor Ctrl-C drops what is typed; twice on
  // an empty line, or as a signal from elsewhere, it ends the program. The terminal is left as it was.
  std::optional<std::string> next();
  bool is_terminal() const { return is_terminal_; }

 private:
  struct Editor;
  std::string prompt_;
  std::FILE* screen_;
  bool is_terminal_;
  std::unique_ptr<Editor> editor_;  // none from a pipe
};

}  // namespace fude
