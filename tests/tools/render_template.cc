// render_template TEMPLATE VARIABLES: renders a chat template with the variables of each line of VARIABLES (JSON), for
// tools/compare_jinja.py.
//
// Each line of standard output is a JSON object: {"text": …, "trusted": its trusted pieces, joined}, or {"error": …}.
#include <cstdio>
#include <sstream>

#include "base/file.h"
#include "text/chat_template.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: render_template TEMPLATE VARIABLES\n");
    return 2;
  }
  std::istringstream lines(fude::read_file(argv[2]));
  const std::string source = fude::read_file(argv[1]);
  for (std::string line; std::getline(lines, line);) {
    fude::Json out;
    try {
      static const fude::ChatTemplate chat_template(source);
      std::string text, trusted;
      for (const fude::TextPiece& piece : chat_template.render_pieces(fude::parse_json(line, "variables"))) {
        text += piece.text;
        if (piece.is_trusted) trusted += piece.text;
      }
      out = {{"text", text}, {"trusted", trusted}};
    } catch (const std::exception& error) { out = {{"error", error.what()}}; }
    std::printf("%s\n", out.dump(-1, ' ', false, fude::Json::error_handler_t::replace).c_str());
  }
}
