// The two kinds of file behind read_documents: lines of JSON, and plain text in pieces.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "data/documents.h"
#include "text/unicode.h"

namespace fude {
namespace {

// A stream with a buffer, an optional byte order mark removed, and the policy for what is bad in it.
class Reader : public DocumentReader {
 public:
  Reader(CompressedStream stream, const DocumentOptions& options, DocumentCounts& counts)
      : options_(options), counts_(counts), stream_(std::move(stream)) {}
  uint64_t consumed() const override { return stream_.consumed(); }

 protected:
  // Appends up to 64 KiB to the buffer; false at the end of the stream.
  bool read_more() {
    if (ended_) return false;
    constexpr size_t kChunk = size_t(1) << 16;
    const size_t before = buffer_.size();
    buffer_.resize(before + kChunk);
    size_t got = 0;
    try {
      got = stream_.read(buffer_.data() + before, kChunk);
    } catch (const Error&) {
      if (options_.on_bad_input == OnBadInput::fail) throw;
      ++counts_.skipped["corrupt file"];
      buffer_.clear();  // what the corruption cut short is not a document
      ended_ = corrupt_ = true;
      return false;
    }
    buffer_.resize(before + got);
    ended_ = got == 0;
    saw_bytes_ |= got > 0;
    return got > 0;
  }
  void drop_byte_order_mark() {
    while (buffer_.size() < 3 && read_more()) {}
    if (buffer_.starts_with("\xEF\xBB\xBF")) buffer_.erase(0, 3);
  }
  void count_if_empty() {
    if (!saw_bytes_ && !corrupt_) ++counts_.empty_files;
  }
  void bad(const char* reason, int64_t line, std::string_view detail = {}) {
    require(options_.on_bad_input == OnBadInput::skip, "[documents] {}:{}: {}{}{}", stream_.name(), line, reason,
            detail.empty() ? "" : ": ", detail.substr(0, 300));
    ++counts_.skipped[reason];
  }
  // Whether the text may be a document; if not, it has been reported.
  bool check_text(std::string_view text, int64_t line, uint64_t byte) {
    const auto line_of = [&](size_t offset) {
      return line + std::count(text.begin(), text.begin() + long(offset), '\n');
    };
    if (const size_t nul = text.find('\0'); nul != text.npos) {
      bad("binary data (a NUL byte)", line_of(nul), fmt::format("at byte {} of the file's text", byte + nul));
      return false;
    }
    if (const size_t valid = valid_prefix(text); valid != text.size()) {
      bad("invalid UTF-8", line_of(valid), fmt::format("at byte {} of the file's text", byte + valid));
      return false;
    }
    return true;
  }
  Document document(std::string text, int64_t line, std::string language) {
    ++counts_.documents;
    counts_.text_bytes += int64_t(text.size());
    return {std::move(text), stream_.name(), line, std::move(language)};
  }

  const DocumentOptions& options_;
  DocumentCounts& counts_;
  CompressedStream stream_;
  std::string buffer_;
  bool ended_ = false, corrupt_ = false, saw_bytes_ = false;
};

class JsonlReader : public Reader {
 public:
  using Reader::Reader;

  std::optional<Document> next() override {
    if (line_ == 0) drop_byte_order_mark();
    std::string_view line;
    while (next_line(line)) {
      std::optional<Document> found = parse(line);
      byte_ += line.size() + 1;
      if (found) return found;
    }
    if (!finished_) count_if_empty();
    finished_ = true;
    return std::nullopt;
  }

 private:
  // The next line without its end, valid until the next call. Lines above the limit are reported here.
  bool next_line(std::string_view& line) {
    size_t searched = begin_;
    while (true) {
      const size_t end = buffer_.find('\n', searched);
      if (end != buffer_.npos && end - begin_ <= options_.document_limit) {
        line = std::string_view(buffer_).substr(begin_, end - begin_);
        begin_ = end + 1;
        ++line_;
        return true;
      }
      if (buffer_.size() - begin_ > options_.document_limit) {
        ++line_;
        bad("line too long", line_, fmt::format("above {} bytes", options_.document_limit));
        skip_line();
        searched = begin_;
        continue;
      }
      buffer_.erase(0, begin_);
      begin_ = 0;
      searched = buffer_.size();
      if (read_more()) continue;
      if (buffer_.empty()) return false;
      line = buffer_;
      begin_ = buffer_.size();
      ++line_;
      return true;
    }
  }
  void skip_line() {
    while (true) {
      const size_t end = buffer_.find('\n', begin_);
      if (end != buffer_.npos) {
        byte_ += end + 1 - begin_;
        begin_ = end + 1;
        return;
      }
      byte_ += buffer_.size() - begin_;
      buffer_.clear();
      begin_ = 0;
      if (!read_more()) return;
    }
  }
  std::optional<Document> parse(std::string_view line) {
    if (line.find_first_not_of(" \t\r") == line.npos) {
      ++counts_.blank_lines;
      return std::nullopt;
    }
    if (!check_text(line, line_, byte_)) return std::nullopt;
    Json object;
    try {
      object = parse_json(line, "line", {.bytes = options_.document_limit});
    } catch (const Error& error) {
      bad("not valid JSON", line_, error.what());
      return std::nullopt;
    }
    if (options_.text_field.empty() && object.is_object()) return document(std::string(line), line_, "");
    const auto text = object.is_object() ? object.find(options_.text_field) : object.end();
    if (!object.is_object() || text == object.end() || !text->is_string()) {
      bad("no text field", line_, fmt::format("expected an object with the string '{}'", options_.text_field));
      return std::nullopt;
    }
    auto& value = text->get_ref<std::string&>();
    if (value.empty()) {
      ++counts_.empty_documents;
      return std::nullopt;
    }
    if (value.find('\0') != value.npos) {
      bad("binary data (a NUL byte)", line_, "as an escape in the text");
      return std::nullopt;
    }
    const auto language = object.find(options_.language_field);
    std::string name = language != object.end() && language->is_string() ? language->get<std::string>() : "";
    if (name.size() > 64 || std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; })) {
      bad("malformed language", line_, "expected at most 64 bytes without control characters");
      return std::nullopt;
    }
    return document(std::move(value), line_, std::move(name));
  }

  size_t begin_ = 0;   // of the next line in the buffer
  int64_t line_ = 0;   // of the last line
  uint64_t byte_ = 0;  // where it begins
  bool finished_ = false;
};

class TextReader : public Reader {
 public:
  using Reader::Reader;

  std::optional<Document> next() override {
    if (line_ == 0) {
      drop_byte_order_mark();
      line_ = 1;
    }
    while (!finished_) {
      const uint64_t limit = options_.split_bytes != 0 ? options_.split_bytes : options_.document_limit;
      while (buffer_.size() <= limit && read_more()) {}
      std::string piece;
      if (buffer_.size() <= limit) {
        finished_ = true;
        if (buffer_.empty()) {
          count_if_empty();
          return std::nullopt;
        }
        piece.swap(buffer_);
      } else if (options_.split_bytes != 0) {
        const size_t cut = find_cut(std::string_view(buffer_).substr(0, limit));
        piece = buffer_.substr(0, cut);
        buffer_.erase(0, cut);
      } else {
        finished_ = true;
        bad("text file too long", line_, fmt::format("above {} bytes, and splitting is off", limit));
        return std::nullopt;
      }
      const int64_t line = line_;
      const uint64_t byte = byte_;
      line_ += std::count(piece.begin(), piece.end(), '\n');
      byte_ += piece.size();
      if (check_text(piece, line, byte)) return document(std::move(piece), line, "");
    }
    return std::nullopt;
  }

 private:
  static size_t find_cut(std::string_view window) {
    const size_t half = window.size() / 2;
    for (const std::string_view boundary : {"\n\n", "\n\r\n", "\n"}) {
      const size_t found = window.rfind(boundary);
      if (found != window.npos && found + boundary.size() > half) return found + boundary.size();
    }
    // Back to the beginning of the last character, unless the bytes are no UTF-8 at all.
    for (size_t cut = window.size(); cut > 1 && cut + 4 > window.size(); --cut)
      if (static_cast<unsigned char>(window[cut - 1]) >= 0xC0)
        return cut - 1;
      else if (static_cast<unsigned char>(window[cut - 1]) < 0x80)
        return cut;
    return window.size();
  }

  int64_t line_ = 0;
  uint64_t byte_ = 0;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<DocumentReader> read_documents(CompressedStream stream, DocumentKind kind,
                                               const DocumentOptions& options, DocumentCounts& counts) {
  require(kind != DocumentKind::unknown,
          "[documents] expected a name with .txt, .md or .jsonl (and .gz, .zst, .xz), got {}", stream.name());
  require(options.split_bytes == 0 || options.split_bytes >= 16,
          "[documents] expected split_bytes of at least 16, got {}", options.split_bytes);
  if (kind == DocumentKind::jsonl) return std::make_unique<JsonlReader>(std::move(stream), options, counts);
  return std::make_unique<TextReader>(std::move(stream), options, counts);
}

}  // namespace fude
