#include "text/template/show.h"

#include <algorithm>
#include <cmath>

#include "text/unicode.h"

namespace fude::jinja {
namespace {

// A text that grows, and whether all that went into it is trusted.
struct Writer {
  Machine& machine;
  std::string out;
  bool is_trusted = true;

  void add(std::string_view more) {
    machine.allocate(more.size());
    out += more;
  }
  void note(const Text& text) { is_trusted = is_trusted && text.is_trusted(); }
  Text text() const { return Text(out, is_trusted); }
};

void append_code(std::string& out, uint32_t c, bool short_form) {
  if (short_form && c < 0x100)
    out += fmt::format("\\x{:02x}", c);
  else if (c < 0x10000)
    out += fmt::format("\\u{:04x}", c);
  else
    out += fmt::format("\\U{:08x}", c);
}

std::string quoted(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos, has_double = text.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text, at);
    const uint32_t point = c.code_point;
    if (point == uint32_t(quote) || point == '\\')
      out += {'\\', char(point)};
    else if (point == '\n' || point == '\r' || point == '\t')
      out += {'\\', point == '\n' ? 'n' : point == '\r' ? 'r' : 't'};
    else if (point == kInvalid || is_printable(point))
      out.append(text, at, c.length);
    else
      append_code(out, point, true);
    at += c.length;
  }
  return out + quote;
}

void write_repr(Writer& writer, const Value& value);

void write_items(Writer& writer, const std::vector<Value>& items, std::string_view open, std::string_view close) {
  writer.add(open);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) writer.add(", ");
    write_repr(writer, items[i]);
  }
  writer.add(close);
}

void write_list(Writer& writer, const List& list) {
  switch (list.kind) {
    case List::Kind::list:
      return write_items(writer, list.items, "[", "]");
    case List::Kind::tuple:
      return write_items(writer, list.items, "(", list.items.size() == 1 ? ",)" : ")");
    case List::Kind::keys:
      return write_items(writer, list.items, "dict_keys([", "])");
    case List::Kind::values:
      return write_items(writer, list.items, "dict_values([", "])");
    case List::Kind::items:
      return write_items(writer, list.items, "dict_items([", "])");
    case List::Kind::range: {
      const auto number = [&](size_t i) { return *list.items[i].get<int64_t>(); };
      const size_t size = list.items.size();
      const int64_t step = size > 1 ? number(1) - number(0) : 0;
      // Its end is not kept.
      writer.machine.require(std::abs(step) == 1, "a range without items, of one or with other steps has no text form");
      writer.add(fmt::format("range({}, {}", number(0), number(size - 1) + step));
      return writer.add(step == 1 ? ")" : ", -1)");
    }
    case List::Kind::generator:
      return writer.add("<generator>");
  }
}

void write_repr(Writer& writer, const Value& value) {
  writer.machine.spend();
  if (value.is<Undefined>()) {
    writer.add("Undefined");
  } else if (value.is<None>()) {
    writer.add("None");
  } else if (const bool* flag = value.get<bool>()) {
    writer.add(*flag ? "True" : "False");
  } else if (const int64_t* integer = value.get<int64_t>()) {
    writer.add(fmt::format("{}", *integer));
  } else if (const double* real = value.get<double>()) {
    writer.add(show_float(*real));
  } else if (const Text* text = value.text()) {
    writer.note(*text);
    writer.machine.allocate(text->size());  // before it is quoted, which makes it up to ten times as long
    writer.add(text->is_escaped ? "Markup(" + quoted(text->bytes) + ")" : quoted(text->bytes));
  } else if (const List* list = value.list()) {
    write_list(writer, *list);
  } else if (const Dict* dict = value.dict()) {
    writer.add("{");
    for (size_t i = 0; i < dict->items.size(); ++i) {
      if (i > 0) writer.add(", ");
      write_repr(writer, dict->items[i].first);
      writer.add(": ");
      write_repr(writer, dict->items[i].second);
    }
    writer.add("}");
  } else {
    writer.machine.fail("{} has no text form", kind_name(value));
  }
}

void append_json_string(std::string& out, const std::string& text, bool ascii_only) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    static constexpr std::string_view kPlain = "\"\\\n\r\t\f\b", kNames = "\"\\nrtfb";
    const Character c = decode_character(text, at);
    const uint32_t point = c.code_point;
    if (const size_t name = point < 0x80 ? kPlain.find(char(point)) : std::string::npos; name != std::string::npos) {
      out += {'\\', kNames[name]};
    } else if (point < 0x20 || (ascii_only && point >= 0x7F && point != kInvalid)) {
      if (point >= 0x10000) {
        append_code(out, 0xD800 + ((point - 0x10000) >> 10), false);
        append_code(out, 0xDC00 + ((point - 0x10000) & 0x3FF), false);
      } else {
        append_code(out, point, false);
      }
    } else {
      out.append(text, at, c.length);
    }
    at += c.length;
  }
  out += '"';
}

std::string json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return show_float(value);
}

struct JsonWriter {
  Writer writer;
  const JsonStyle& style;
  int level = 0;

  void write_text(const Text& text) {
    writer.note(text);
    writer.machine.allocate(text.size());
    std::string out;
    append_json_string(out, text.bytes, style.ascii_only);
    writer.add(out);
  }

  void new_line() {
    if (!style.indent) return;
    writer.add("\n");
    for (int i = 0; i < level; ++i) writer.add(*style.indent);
  }

  void write_key(const Value& key) {
    if (key.text()) return write_text(*key.text());
    writer.machine.require(!key.is<Undefined>(), "an undefined value cannot be a key of JSON");
    write_text(Text(scalar(key), true));
  }

  std::string scalar(const Value& value) {
    if (value.is<None>()) return "null";
    if (const bool* flag = value.get<bool>()) return *flag ? "true" : "false";
    if (const int64_t* integer = value.get<int64_t>()) return fmt::format("{}", *integer);
    if (const double* real = value.get<double>()) return json_number(*real);
    writer.machine.fail("{} cannot be written as JSON", kind_name(value));
  }

  template <class Items, class Write>
  void write_all(const Items& items, const char* brackets, const Write& write) {
    writer.add(std::string_view(brackets, 1));
    ++level;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) writer.add(style.between_items);
      new_line();
      write(items[i]);
    }
    --level;
    if (!items.empty()) new_line();
    writer.add(std::string_view(brackets + 1, 1));
  }

  void write(const Value& value) {
    writer.machine.spend();
    const List* list = value.list();
    if (value.text()) {
      write_text(*value.text());
    } else if (list && (list->kind == List::Kind::list || list->kind == List::Kind::tuple)) {
      write_all(list->items, "[]", [&](const Value& item) { write(item); });
    } else if (const Dict* dict = value.dict()) {
      std::vector<std::pair<Value, Value>> items = dict->items;
      writer.machine.spend(items.size());
      if (style.sort_keys) {
        for (const auto& [key, unused] : items)
          writer.machine.require(key.text() != nullptr, "only keys that are strings can be sorted");
        std::stable_sort(items.begin(), items.end(),
                         [](const auto& a, const auto& b) { return a.first.text()->bytes < b.first.text()->bytes; });
      }
      write_all(items, "{}", [&](const std::pair<Value, Value>& item) {
        write_key(item.first);
        writer.add(style.behind_key);
        write(item.second);
      });
    } else {
      writer.add(scalar(value));
    }
  }
};

}  // namespace

std::string show_float(double value) {
  if (std::isnan(value)) return "nan";
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

Text represent(Machine& machine, const Value& value) {
  Writer writer{machine};
  write_repr(writer, value);
  return writer.text();
}

Text to_json(Machine& machine, const Value& value, const JsonStyle& style) {
  JsonWriter json{{machine, {}, style.is_trusted}, style};
  json.write(value);
  return json.writer.text();
}

}  // namespace fude::jinja
