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
  Editor(std::string& prompt, std::FILE* screen) : line(el_init("fude", stdin, screen, stderr)), lines(history_init()) {
    HistEvent event;
    history(lines, &event, H_SETSIZE, 1000);
    history(lines, &event, H_SETUNIQUE, 1);
    el_set(line, EL_CLIENTDATA, &prompt);
    el_set(
        line, EL_PROMPT, +[](EditLine* of) {
          std::string* text = nullptr;
          el_get(of, EL_CLIENTDATA, &text);
          return text->data();
        });
    el_set(line, EL_HIST, history, lines);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_SIGNAL, 1);
    el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(line, nullptr);  // ~/.editrc
  }
  ~Editor() { history_end(lines), el_end(line); }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  EditLine* line;
  History* lines;
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
    const char* text = el_gets(editor_->line, &count);
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
