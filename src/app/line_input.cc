#include "app/line_input.h"

#include <histedit.h>
#include <langinfo.h>
#include <termios.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstring>
#include <iostream>

#include "app/signals.h"

namespace fude {
namespace {

// What the terminal is like while nothing is edited.
termios before_editing;

// libedit puts the terminal back at a signal, unless that comes while it is changing it.
void put_back_and_end(int signal) {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_editing);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

struct LineInput::Editor {
  Editor(std::string& text, std::FILE* screen)
      : prompt(text), line(el_init("fude", stdin, screen, stderr)), lines(history_init()) {
    HistEvent event;
    history(lines, &event, H_SETSIZE, 1000);
    history(lines, &event, H_SETUNIQUE, 1);
    el_set(line, EL_CLIENTDATA, this);
    el_set(
        line, EL_PROMPT, +[](EditLine* of) { return editor_of(of).prompt.data(); });
    el_set(line, EL_HIST, history, lines);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_SIGNAL, 1);
    el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    // Signals of the terminal come as keys while a line is edited: as signals they would end more than the line.
    el_set(line, EL_SETTY, "-d", "-isig", nullptr);
    el_set(line, EL_ADDFN, "fude-drop-line", "drop the line", drop_line);
    el_set(line, EL_ADDFN, "fude-stop", "stop the program until it is continued", stop);
    el_set(line, EL_ADDFN, "fude-end", "end the input, if nothing is typed", end_if_empty);
    el_set(line, EL_BIND, "^C", "fude-drop-line", nullptr);
    el_set(line, EL_BIND, "^Z", "fude-stop", nullptr);
    el_set(line, EL_BIND, "^@", "fude-end", nullptr);  // Ctrl-D that was typed before the line was edited
    el_source(line, nullptr);                          // ~/.editrc
  }
  ~Editor() { history_end(lines), el_end(line); }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  static Editor& editor_of(EditLine* of) {
    Editor* editor = nullptr;
    el_get(of, EL_CLIENTDATA, &editor);
    return *editor;
  }
  static unsigned char drop_line(EditLine* of, int) {
    editor_of(of).is_dropped = true;
    return CC_NEWLINE;
  }
  // Where nobody could continue it, the system stops nothing.
  static unsigned char stop(EditLine* of, int) {
    el_set(of, EL_PREP_TERM, 0);
    ::kill(0, SIGTSTP);
    el_set(of, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
  }
  static unsigned char end_if_empty(EditLine* of, int) {
    const LineInfo* text = el_line(of);
    return text->lastchar == text->buffer ? CC_EOF : CC_NORM;
  }

  // The next line, with its end; nothing at the end of the input.
  const char* next(int& count) {
    for (int empty_ones = 0;;) {
      is_dropped = false;
      el_set(line, EL_PREP_TERM, 1);  // also where something was typed ahead, which is read as keys
      const char* text = el_gets(line, &count);
      if (!is_dropped) return text;
      const bool is_empty = text == nullptr || count <= 0;
      empty_ones = is_empty ? empty_ones + 1 : 0;
      std::FILE* screen = nullptr;
      el_get(line, EL_GETFP, 1, &screen);
      std::fputs(empty_ones == 1 ? "^C (Ctrl-D ends, or Ctrl-C once more)\n" : "^C\n", screen);
      if (empty_ones == 2) std::raise(SIGINT);
    }
  }

  std::string& prompt;
  EditLine* line;
  History* lines;
  bool is_dropped = false;  // the line, by Ctrl-C
};

LineInput::LineInput(std::string prompt, std::FILE* screen)
    : prompt_(std::move(prompt)), screen_(screen), is_terminal_(::isatty(STDIN_FILENO) != 0) {
  if (!is_terminal_ || ::isatty(::fileno(screen)) == 0) return;
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
  ::tcgetattr(STDIN_FILENO, &before_editing);
  editor_ = std::make_unique<Editor>(prompt_, screen);
}

LineInput::~LineInput() = default;

std::optional<std::string> LineInput::next() {
  std::string line;
  if (editor_ != nullptr) {
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, put_back_and_end);
    int count = 0;
    const char* text = editor_->next(count);
    end_at_interrupts();
    if (text == nullptr || count <= 0) return std::nullopt;
    line.assign(text, size_t(count));
    if (line.ends_with('\n')) line.pop_back();
    HistEvent event;
    if (!line.empty()) history(editor_->lines, &event, H_ENTER, line.c_str());
  } else {
    if (is_terminal_) std::fputs(prompt_.c_str(), screen_), std::fflush(screen_);
    if (!std::getline(std::cin, line)) return std::nullopt;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace fude
